/**
 * Draws the diagram that the page sends and answers with its height or the kind of its fault. Runs
 * in a frame of opaque origin, so it is a classic script: a module would need CORS.
 */
(() => {
  const MOST_CHARACTERS = 20_000;
  const MOST_EDGES = 300;
  /** A wide diagram shrinks to this width, then it scrolls. */
  const LEAST_WIDTH = '38rem';
  /** What the text of a diagram must not change. */
  const FIXED = [
    'secure',
    'securityLevel',
    'startOnLoad',
    'maxTextSize',
    'maxEdges',
    'suppressErrorRendering',
    'theme',
    'themeVariables',
    'themeCSS',
    'darkMode',
    'fontFamily',
  ];
  const root = document.documentElement;
  const box = /** @type {HTMLElement} */ (document.querySelector('[data-drawing]'));
  /** @type {any} */
  const mermaid = /** @type {any} */ (globalThis).mermaid;
  let drawings = 0;

  /** @param {object} message */
  const tell = (message) => parent.postMessage(message, '*');

  addEventListener('message', ({ source, data }) => {
    if (source !== parent || typeof data?.text !== 'string') return;
    root.dataset.theme = data.dark ? 'dark' : 'light';
    void draw(data.text);
  });
  new ResizeObserver(() => {
    if (box.firstChild) tell({ height: document.body.offsetHeight });
  }).observe(box);
  tell(mermaid ? { ready: true } : { fault: 'unreachable' });

  /** @param {string} text */
  async function draw(text) {
    drawings += 1;
    const name = `drawing-${drawings}`;
    try {
      mermaid.initialize(settings());
      const { svg } = await mermaid.render(name, text);
      const drawn = new DOMParser().parseFromString(svg, 'text/html').querySelector('svg');
      if (!drawn) throw new Error('empty');
      for (const link of drawn.querySelectorAll('a')) {
        link.removeAttribute('href');
        link.removeAttribute('xlink:href');
      }
      const width = drawn.style.maxWidth || `${drawn.viewBox.baseVal.width}px`;
      drawn.style.minWidth = `min(${width}, ${LEAST_WIDTH})`;
      box.replaceChildren(drawn);
      tell({ height: document.body.offsetHeight });
    } catch (error) {
      document.getElementById(`d${name}`)?.remove();
      tell(faultOf(error));
    }
  }

  /** @param {any} error @returns {{fault: string, line?: number}} */
  function faultOf(error) {
    const message = String(error?.message ?? error);
    if (error?.name === 'UnknownDiagramError' || /No diagram type/.test(message)) {
      return { fault: 'kind' };
    }
    if (/Edge limit|Too many edges|Maximum text size/i.test(message)) return { fault: 'too_large' };
    const line = Number(/(?:Parse|Lexical) error on line (\d+)/.exec(message)?.[1]);
    return line ? { fault: 'syntax', line } : { fault: 'mistake' };
  }

  function settings() {
    const probe = document.createElement('i');
    box.after(probe);
    /** @param {string} name of a token */
    const colour = (name) => {
      probe.style.color = `var(--${name})`;
      return getComputedStyle(probe).color;
    };
    const [ink, line, card] = [colour('ink'), colour('ink-faint'), colour('card')];
    const themeVariables = {
      darkMode: root.dataset.theme === 'dark',
      fontFamily: getComputedStyle(document.body).fontFamily,
      fontSize: '15px',
      background: card,
      mainBkg: colour('accent-soft'),
      primaryColor: colour('accent-soft'),
      primaryBorderColor: colour('accent'),
      primaryTextColor: ink,
      secondaryColor: colour('sunk'),
      secondaryBorderColor: line,
      secondaryTextColor: ink,
      tertiaryColor: card,
      tertiaryBorderColor: colour('line'),
      tertiaryTextColor: ink,
      lineColor: line,
      textColor: ink,
      titleColor: ink,
      noteBkgColor: colour('mark'),
      noteTextColor: colour('mark-ink'),
      noteBorderColor: line,
      edgeLabelBackground: card,
      dropShadow: 'none',
    };
    probe.remove();
    return {
      startOnLoad: false,
      securityLevel: 'strict',
      suppressErrorRendering: true,
      maxTextSize: MOST_CHARACTERS,
      maxEdges: MOST_EDGES,
      secure: FIXED,
      theme: 'base',
      fontFamily: themeVariables.fontFamily,
      themeVariables,
    };
  }
})();
