"""How the page of a thread looks: one column, light and dark, and on paper."""

STYLE = """\
:root{color-scheme:light dark;--bg:#f7f8f7;--card:#fff;--ink:#171a18;--ink2:#474e4a;--ink3:#5f6762;
--line:#e1e5e2;--acc:#0c6656;--accsoft:#def0eb;--attn:#7f4600;--attnsoft:#fff4de;--attnline:#e8bd6c;
--ok:#176636;--oksoft:#e3f4e8;--dng:#ad2018;--dngsoft:#fdeceb}
@media (prefers-color-scheme:dark){:root{--bg:#111312;--card:#191c1a;--ink:#ecefed;--ink2:#b7beba;
--ink3:#959e99;--line:#2a2f2c;--acc:#52c7aa;--accsoft:#10332a;--attn:#f3c070;--attnsoft:#2b2212;
--attnline:#6a5122;--ok:#7dd69c;--oksoft:#132e1d;--dng:#ff9d93;--dngsoft:#3a1c19}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/24px Inter,system-ui,sans-serif}
main{max-width:860px;margin:0 auto;padding:32px 16px 64px}
h1{font-size:22px;line-height:28px;margin:0 0 12px;overflow-wrap:anywhere}
h2{font-size:14px;line-height:20px;margin:0 0 4px}
h3{font-size:12px;line-height:16px;margin:12px 0 4px;color:var(--ink3)}
p{margin:0 0 8px}
dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 16px;margin:0 0 24px;font-size:13px;line-height:20px}
dt{color:var(--ink3)}
dd{margin:0;overflow-wrap:anywhere}
section{position:relative;margin:0 0 12px;padding:12px 16px;border:1px solid var(--line);border-radius:10px;
background:var(--card)}
.at{float:right;margin-left:12px;font-size:12px;line-height:20px;color:var(--ink3)}
.at a{color:inherit}
.text{white-space:pre-wrap;overflow-wrap:anywhere}
.user{background:var(--accsoft);border-color:transparent;margin-left:64px}
.attention{background:var(--attnsoft);border-color:var(--attnline)}
.attention b{color:var(--attn)}
section.ok{background:var(--oksoft);border-color:transparent}
section.bad{background:var(--dngsoft);border-color:transparent}
.line,.tool{padding:4px 16px;font-size:13px;line-height:20px;color:var(--ink2);background:none;border-color:transparent;
margin-bottom:4px;overflow-wrap:anywhere}
span.ok{color:var(--ok)}
span.bad,p.bad,td.error{color:var(--dng)}
td.warning{color:var(--attn)}
.quiet{color:var(--ink3);font-size:12px;overflow-wrap:anywhere}
.tag{font-size:12px;padding:1px 6px;border-radius:6px;background:var(--accsoft);color:var(--acc)}
.change{padding:6px 0;border-top:1px solid var(--line)}
summary{cursor:pointer}
code,pre{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:12px;line-height:18px}
pre{margin:4px 0;padding:8px 12px;border-radius:8px;background:var(--bg);border:1px solid var(--line);
white-space:pre-wrap;overflow-wrap:anywhere;max-height:480px;overflow:auto}
ins{text-decoration:none;background:var(--oksoft);color:var(--ok)}
del{text-decoration:none;background:var(--dngsoft);color:var(--dng)}
table{border-collapse:collapse;font-size:13px;line-height:20px}
td{padding:2px 12px 2px 0;vertical-align:top;overflow-wrap:anywhere}
footer{margin-top:24px;font-size:12px;line-height:16px;color:var(--ink3);overflow-wrap:anywhere}
:focus-visible{outline:2px solid var(--acc);outline-offset:2px}
@media (max-width:560px){.user{margin-left:24px}.at{float:none;margin:0}}
@media print{body{background:#fff}pre{max-height:none}section{break-inside:avoid-page}}
"""
