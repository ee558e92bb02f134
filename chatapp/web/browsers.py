"""A browser's short name from its User-Agent header, to recognise a sign-in by.

The header is a claim of the client: the name is shown to its user and decides nothing.
"""

MOST_CHARACTERS = 60
# The first that occurs counts: most browsers also name those that they descend from.
BROWSERS = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "SamsungBrowser/": "Samsung Internet",
    "MicroMessenger/": "WeChat",
    "Firefox/": "Firefox",
    "FxiOS/": "Firefox",
    "Chrome/": "Chrome",
    "CriOS/": "Chrome",
    "Safari/": "Safari",
}
SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "CrOS": "ChromeOS",
    "Windows": "Windows",
    "Mac OS X": "macOS",
    "Linux": "Linux",
}


def browser_name(agent: str) -> str:
    """Return browser and system, such as "Firefox, Linux"; of a program, what it calls itself."""
    browser = next((name for sign, name in BROWSERS.items() if sign in agent), "")
    system = next((name for sign, name in SYSTEMS.items() if sign in agent), "")
    if browser:
        return ", ".join(filter(None, (browser, system)))
    first = agent.split(maxsplit=1)[0] if agent.strip() else ""
    return "".join(sign for sign in first if sign.isprintable())[:MOST_CHARACTERS]
