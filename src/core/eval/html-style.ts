/** The look of a report: the system's own fonts, as nothing is loaded; light or dark as the reader's system is. */
export const REPORT_STYLE = `
:root { color-scheme: light dark; --paper: light-dark(#fbfaf7, #101517); --ink: light-dark(#172124, #e8edeb);
  --soft: light-dark(#4a565a, #b3bfbf); --rule: light-dark(#e3e0d8, #273034); --sunken: light-dark(#f2f0ea, #0c1012);
  --accent: light-dark(#0b6a8f, #62bbe8); --good: light-dark(#176c43, #5fcb96); --bad: light-dark(#b02a22, #ff8b80);
  --warn: light-dark(#8a5a00, #ecb650); }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 0.9375rem/1.5 system-ui, sans-serif; }
main { max-width: 72rem; margin: 0 auto; padding: 2rem 1rem 4rem; }
h1 { font-size: 1.5rem; margin: 0; overflow-wrap: anywhere; } h2 { font-size: 1.0625rem; margin: 2.5rem 0 0.75rem; }
h3 { font-size: 0.875rem; margin: 0; overflow-wrap: anywhere; }
p { margin: 0.25rem 0; } .soft { color: var(--soft); font-size: 0.8125rem; font-weight: 400; overflow-wrap: anywhere; }
.good { color: var(--good); } .bad { color: var(--bad); } .warn { color: var(--warn); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: 0.5rem 0.75rem 0.5rem 0; border-bottom: 1px solid var(--rule); }
thead th { font-size: 0.75rem; color: var(--soft); font-weight: 500; } tbody th { font-weight: 600; overflow-wrap: anywhere; min-width: 8rem; }
.number { text-align: right; white-space: nowrap; } .reason { white-space: normal; min-width: 9rem; }
.badge { font-size: 0.75rem; font-weight: 400; color: var(--accent); border: 1px solid var(--accent); border-radius: 999px; padding: 0 0.4rem; }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(18rem, 100%), 1fr)); gap: 1rem; }
article, figure { margin: 0; min-width: 0; } details { border-bottom: 1px solid var(--rule); padding: 0.5rem 0; } summary { cursor: pointer; overflow-wrap: anywhere; }
pre { background: var(--sunken); padding: 0.75rem; border-radius: 6px; white-space: pre-wrap; overflow-wrap: anywhere; font-size: 0.8125rem; max-height: 24rem; overflow-y: auto; }
svg { width: 100%; max-width: 40rem; height: auto; font: 12px system-ui, sans-serif; } svg.bars { max-width: 16rem; } svg text { fill: var(--soft); } svg .name { fill: var(--ink); }
.rule { stroke: var(--rule); } .frontier { fill: none; stroke: var(--accent); stroke-width: 1.5; } .point { fill: var(--soft); } .point.on { fill: var(--accent); } rect { fill: var(--accent); }
footer { margin-top: 2.5rem; }
`;
