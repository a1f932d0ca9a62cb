enum ReportStyle {
    static let css = """
        :root {
          --paper: #fbfaf6; --ink: #1c2230; --muted: #737985; --line: #e6e2d8; --track: #f0ede5;
          --left: #2f5d8c; --ghost: #c3cbd3; --drop: #c2553a; --lost: #eccfc4; --card: #ffffff;
        }
        @media (prefers-color-scheme: dark) {
          :root {
            --paper: #14171c; --ink: #e5e2da; --muted: #8d95a1; --line: #2a2f38; --track: #1e232a;
            --left: #7fb0dc; --ghost: #4a525e; --drop: #e2886b; --lost: #57352b; --card: #191d23;
          }
        }
        * { box-sizing: border-box; }
        body {
          margin: 0; background: var(--paper); color: var(--ink); -webkit-text-size-adjust: 100%;
          font: 15px/1.65 system-ui, -apple-system, "PingFang SC", "Noto Sans CJK SC", "Source Han Sans SC", "Microsoft YaHei", "WenQuanYi Zen Hei", sans-serif;
          font-variant-numeric: tabular-nums;
        }
        main { max-width: 1080px; margin: 0 auto; padding: 64px 40px 48px; }
        h1, h2, .value { font-family: "Songti SC", "Noto Serif CJK SC", "Source Han Serif SC", "STSong", "SimSun", Georgia, "Times New Roman", serif; font-weight: 500; }
        h1 { font-size: 44px; line-height: 1.2; margin: 0 0 40px; letter-spacing: -0.01em; overflow-wrap: anywhere; }
        h2 { font-size: 24px; line-height: 1.3; margin: 0 0 6px; }
        h2 span { font-size: 15px; margin-left: 8px; }
        h3 { font-size: 15px; font-weight: 600; margin: 32px 0 8px; }
        h3 span, h4 span { font-weight: 400; margin-left: 8px; }
        h4 { font-size: 13px; font-weight: 600; margin: 0 0 14px; }
        span { color: var(--muted); }
        .kicker { margin: 0 0 12px; font-size: 13px; letter-spacing: 0.08em; color: var(--left); }
        .kicker span { margin-left: 12px; }
        .note { color: var(--ink); font-size: 13px; margin: 0 0 24px; }
        .warning { color: var(--drop); margin: -24px 0 32px; }
        header { border-bottom: 1px solid var(--line); padding-bottom: 40px; }
        .figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(200px, 1fr)); gap: 32px; }
        .label, .before { font-size: 13px; }
        .label span, .before span { margin-left: 4px; }
        .before { color: var(--muted); }
        .value { font-size: 40px; line-height: 1.25; }
        .value small { font-size: 17px; color: var(--left); margin-left: 12px; }
        section { padding: 48px 0; border-bottom: 1px solid var(--line); }
        i { display: block; font-style: normal; height: 100%; border-radius: 1px; }
        i.left { background: var(--left); } i.ghost { background: var(--ghost); } i.drop { background: var(--drop); } i.lost { background: var(--lost); }
        .track { position: relative; display: block; height: 10px; background: var(--track); border-radius: 1px; }
        .track i { position: absolute; inset: 0 auto 0 0; }
        .funnel { display: grid; grid-template-columns: minmax(96px, max-content) 1fr 1fr; column-gap: 32px; row-gap: 18px; align-items: start; }
        .funnel .name { font-weight: 600; line-height: 1.3; overflow-wrap: anywhere; }
        .funnel .name span { font-weight: 400; margin-left: 4px; }
        .funnel .head { font-size: 13px; }
        .funnel .track { margin-top: 5px; }
        .numbers { display: flex; gap: 10px; font-size: 13px; margin-top: 4px; }
        .numbers b { font-weight: 600; } .numbers em { font-style: normal; color: var(--drop); } .numbers span { margin-left: auto; }
        details > summary { cursor: pointer; list-style: none; }
        details > summary::-webkit-details-marker { display: none; }
        .reason { border-top: 1px solid var(--line); }
        .reason:last-child { border-bottom: 1px solid var(--line); }
        .reason > summary { display: grid; grid-template-columns: minmax(0, 300px) 1fr 80px 64px 84px; gap: 20px; align-items: center; padding: 9px 0; font-size: 14px; }
        .reason > summary:hover .what b { color: var(--left); }
        .reason .track { background: none; }
        .what { color: var(--ink); overflow-wrap: anywhere; }
        .what b, figcaption b { font-weight: 500; }
        .count, .share { text-align: right; white-space: nowrap; } .count { color: var(--ink); } .share { font-size: 13px; }
        code { font: 12px/1.5 ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, monospace; color: var(--muted); overflow-wrap: anywhere; }
        article { background: var(--card); border: 1px solid var(--line); border-radius: 4px; padding: 14px 18px; margin: 0 0 12px; }
        details article:last-child { margin-bottom: 20px; }
        article p { margin: 8px 0 0; white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: isolate; font-size: 14px; }
        .meta { display: flex; gap: 12px; justify-content: space-between; align-items: baseline; flex-wrap: wrap; }
        .chip { font-size: 12px; color: var(--drop); white-space: nowrap; overflow: hidden; text-overflow: ellipsis; max-width: 100%; }
        .chip.stays { color: var(--left); margin-left: 10px; }
        .cut { color: var(--muted); }
        .cards { columns: 2; column-gap: 20px; }
        .cards article { break-inside: avoid; display: inline-block; width: 100%; }
        .charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(270px, 1fr)); gap: 32px 36px; }
        figure { margin: 0; }
        figcaption { font-size: 13px; margin-bottom: 8px; display: flex; gap: 8px; align-items: baseline; }
        figcaption code { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
        figcaption .lost { margin-left: auto; color: var(--drop); white-space: nowrap; }
        svg { display: block; width: 100%; height: auto; }
        svg text { font-size: 10px; fill: var(--muted); }
        svg .inside { fill: var(--left); opacity: 0.85; } svg .outside { fill: var(--drop); opacity: 0.85; }
        svg .axis { stroke: var(--line); } svg line.limit { stroke: var(--drop); stroke-dasharray: 3 3; } svg text.limit { fill: var(--drop); }
        .more { margin-top: 40px; }
        .more > summary { font-size: 14px; font-weight: 500; margin-bottom: 24px; }
        .more > summary::before, .cluster > summary::before { content: "＋"; color: var(--muted); margin-right: 6px; }
        .more[open] > summary::before, .cluster[open] > summary::before { content: "－"; }
        .pair { display: grid; grid-template-columns: 1fr 1fr; gap: 48px; }
        .pair > div { min-width: 0; }
        .bargrid { display: grid; grid-template-columns: fit-content(45%) 1fr max-content; gap: 10px 16px; font-size: 13px; align-items: center; }
        .bars { display: grid; gap: 2px; }
        .bars i { height: 6px; min-width: 1px; }
        .bars i:only-child { height: 9px; }
        .key { display: inline-block; width: 14px; height: 6px; margin: 0 6px 2px 0; }
        .key + .key, span + .key { margin-left: 16px; }
        .cluster { border-top: 1px solid var(--line); padding: 8px 0; font-size: 14px; }
        .cluster > summary { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
        .cluster > summary b { color: var(--left); font-weight: 600; margin-right: 8px; }
        .cluster ul { list-style: none; margin: 10px 0 4px; padding: 0 0 0 22px; }
        .cluster li p { margin: 0 0 10px; font-size: 13px; unicode-bidi: isolate; overflow-wrap: anywhere; }
        .problems { margin: 12px 0 0; padding: 0; list-style: none; font-size: 13px; }
        .problems li { padding: 6px 0; border-top: 1px solid var(--line); overflow-wrap: anywhere; }
        .problems span { margin-right: 8px; }
        footer { color: var(--muted); font-size: 12px; letter-spacing: 0.08em; padding-top: 24px; }
        section:last-of-type { border-bottom: 0; }
        @media (max-width: 760px) {
          main { padding: 36px 20px; }
          h1 { font-size: 32px; }
          .pair, .cards { display: block; columns: 1; }
          .pair > div + div { margin-top: 32px; }
          .funnel { grid-template-columns: 1fr; row-gap: 10px; }
          .funnel .head { display: none; }
          .funnel .name { margin-top: 18px; }
          .reason > summary { grid-template-columns: 1fr 56px 56px; gap: 12px; }
          .reason .track, .reason .share:last-child { display: none; }
        }
        @media print { main { max-width: none; padding: 0; } section { break-inside: avoid-page; } }
        """
}
