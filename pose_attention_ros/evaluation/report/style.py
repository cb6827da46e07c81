"""The looks of the report."""

STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0; background: #eef1f4; color: #222b33;
  font: 14px/1.45 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 1160px; margin: 0 auto; padding: 28px 20px 48px; }
header { display: flex; justify-content: space-between; align-items: flex-start; gap: 24px; margin-bottom: 18px; }
h1 { font-size: 26px; margin: 0 0 4px; letter-spacing: -.01em; }
h2 { font-size: 16px; margin: 0 0 12px; }
h3 { font-size: 14px; margin: 0 0 2px; }
h3 small { font-weight: 400; color: #6b7680; }
header p { margin: 0; color: #55616c; }
section { background: #fff; border-radius: 10px; padding: 18px 20px; margin-top: 16px;
  box-shadow: 0 1px 3px rgba(20, 30, 40, .09); }
.badge { flex: none; padding: 8px 14px; border-radius: 20px; font-weight: 600; color: #fff; }
.badge.good { background: #1f8a5b; } .badge.bad { background: #c4322b; }
.tiles { display: flex; flex-wrap: wrap; gap: 12px; }
.tile { flex: 1 1 120px; background: #fff; border-radius: 10px; padding: 12px 14px;
  box-shadow: 0 1px 3px rgba(20, 30, 40, .09); }
.tile .what { color: #6b7680; font-size: 12px; }
.tile .number { font-size: 24px; font-weight: 650; letter-spacing: -.01em; white-space: nowrap; }
.tile .note { color: #6b7680; font-size: 11.5px; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 16px; margin-bottom: 10px; font-size: 12.5px; }
.key i { display: inline-block; width: 12px; height: 12px; border-radius: 3px; margin-right: 6px; vertical-align: -1px; }
.wide { overflow-x: auto; } .wide svg { max-width: 100%; height: auto; display: block; }
.row { display: flex; flex-wrap: wrap; gap: 18px 34px; align-items: flex-start; }
.column { display: flex; flex-direction: column; gap: 22px; min-width: 0; }
figure { margin: 0; } figure svg { display: block; max-width: 100%; height: auto; }
figcaption { color: #6b7680; font-size: 12px; margin-top: 6px; }
svg text { font-family: system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
table { border-collapse: collapse; } td, th { padding: 5px 12px 5px 0; text-align: left; vertical-align: top; }
th { color: #6b7680; font-weight: 500; font-size: 12px; } tbody tr { border-top: 1px solid #e8ecef; }
.numbers td:not(:first-child), .numbers th:not(:first-child) { text-align: right; padding-left: 18px;
  font-variant-numeric: tabular-nums; }
.numbers td.error { text-align: left; color: #c4322b; }
.facts td:last-child { font-variant-numeric: tabular-nums; } .facts .count { font-weight: 600; text-align: right; }
.limits tr.no td:last-child { color: #c4322b; font-weight: 600; } .limits tr.ok td:last-child { color: #1f8a5b; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(500px, 1fr)); gap: 14px; }
article { display: flex; gap: 14px; border: 1px solid #e3e7eb; border-radius: 8px; padding: 10px; }
article img { height: 230px; width: 220px; object-fit: cover; border-radius: 6px; background: #24282e; flex: none; }
.noimage { height: 230px; width: 220px; border-radius: 6px; background: #f0f2f4; color: #7a8590; display: flex;
  align-items: center;
  justify-content: center; text-align: center; flex: none; font-size: 12px; padding: 12px; }
.words { min-width: 0; } .words p { margin: 0 0 8px; color: #6b7680; font-size: 12.5px; }
  .words svg { display: block; max-width: 100%; }
.wrong { color: #c4322b; font-weight: 500; margin-left: 6px; }
.hint { color: #6b7680; margin: -6px 0 12px; font-size: 12.5px; }
a { color: #1f6fb2; } a.name { font-weight: 600; text-decoration: none; }
details { margin-top: 18px; color: #55616c; } pre { background: #fff; border-radius: 8px; padding: 14px;
  overflow: auto; font-size: 11.5px; }
@media print { body { background: #fff; } section, .tile { box-shadow: none; border: 1px solid #e3e7eb; } }
"""
