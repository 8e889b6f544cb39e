// The console without this file works: every page is made by the server. This draws charts, hears keys, reads live pages again.
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const palette = () => ["--c1", "--c2", "--c3", "--c4", "--c5", "--c6", "--c7", "--c8"].map(css);
const charts = new Map();

function dressed(option) {
  const ink = css("--ink-2"), line = css("--line"), sheet = css("--sheet");
  const axis = (one) => ({ ...one, axisLabel: { color: ink, fontSize: 11, hideOverlap: true, ...one.axisLabel }, axisLine: { lineStyle: { color: line } }, axisTick: { show: false }, splitLine: { lineStyle: { color: css("--line-2") } }, nameTextStyle: { color: ink, fontSize: 11 } });
  const axes = (one) => (Array.isArray(one) ? one.map(axis) : one && axis(one));
  return {
    color: palette(), animationDuration: 300, textStyle: { color: ink, fontFamily: css("--font") }, backgroundColor: "transparent",
    grid: { left: 8, right: 28, top: option.legend ? 36 : 16, bottom: 4, containLabel: true },
    ...option, xAxis: axes(option.xAxis), yAxis: axes(option.yAxis),
    legend: option.legend && { type: "scroll", top: 0, left: 0, itemWidth: 14, itemHeight: 8, icon: "roundRect", textStyle: { color: ink, fontSize: 12 }, pageTextStyle: { color: ink }, ...option.legend },
    tooltip: { trigger: "axis", renderMode: "richText", confine: true, backgroundColor: sheet, borderColor: line, textStyle: { color: css("--ink"), fontSize: 12 }, axisPointer: { lineStyle: { color: line }, shadowStyle: { color: css("--line-2") } }, ...option.tooltip },
  };
}

async function drawCharts() {
  const places = [...document.querySelectorAll("[data-chart]")];
  if (!places.length) return;
  const { echarts } = await import(document.body.dataset.echarts);
  for (const place of places) {
    const option = JSON.parse(document.getElementById(place.dataset.chart).textContent);
    charts.get(place)?.dispose();
    const chart = echarts.init(place, null, { renderer: "canvas" });
    chart.setOption(dressed(option));
    chart.on("click", (told) => { const to = told.data?.href ?? option.hrefs?.[told.dataIndex]; if (to) location.href = to; });
    charts.set(place, chart);
  }
  document.documentElement.dataset.drawn = "yes";
}

function keys() {
  const ways = JSON.parse(document.body.dataset.keys || "{}");
  let after = "";
  const rows = () => [...document.querySelectorAll("#main tbody tr")].filter((row) => row.offsetParent);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, select")) { if (event.key === "Escape") event.target.blur(); return; }
    const go = (to) => { event.preventDefault(); location.href = to; };
    if (after === "g") { after = ""; if (ways[event.key]) go(ways[event.key]); return; }
    const all = rows(), at = all.findIndex((row) => row.classList.contains("at"));
    switch (event.key) {
      case "g": after = "g"; setTimeout(() => { after = ""; }, 1200); break;
      case "/": event.preventDefault(); document.getElementById("q")?.focus(); break;
      case "?": document.getElementById("help")?.showModal(); break;
      case "j": case "k": {
        if (!all.length) break;
        const next = all[Math.min(Math.max(at + (event.key === "j" ? 1 : -1), 0), all.length - 1)];
        all[at]?.classList.remove("at"); next.classList.add("at"); next.scrollIntoView({ block: "nearest" }); break;
      }
      case "Enter": if (at >= 0 && event.target === document.body) { const link = all[at].querySelector("a"); if (link) go(link.href); } break;
      case "[": { const one = document.querySelector("a[rel=prev]"); if (one) go(one.href); break; }
      case "]": { const one = document.querySelector("a[rel=next]"); if (one) go(one.href); break; }
    }
  });
}

function readAgain() {
  const seconds = Number(document.body.dataset.again || 0);
  if (!seconds) return;
  setInterval(async () => {
    if (document.hidden || document.querySelector("dialog[open], #main details[open], #main :focus-within")) return;
    const answer = await fetch(location.href, { headers: { "Puhui-Again": "1" } }).catch(() => null);
    if (!answer?.ok || answer.redirected) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.getElementById("main").replaceChildren(...page.getElementById("main").childNodes);
    charts.clear(); drawCharts();
  }, seconds * 1000);
}

document.addEventListener("submit", (event) => { for (const button of event.target.querySelectorAll("button")) setTimeout(() => { button.disabled = true; }, 0); });
addEventListener("pageshow", () => { for (const button of document.querySelectorAll("button[disabled]")) button.disabled = false; });
addEventListener("resize", () => { for (const chart of charts.values()) chart.resize(); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawCharts);
document.querySelector(".side [aria-current]")?.scrollIntoView({ block: "nearest" });
keys(); readAgain(); drawCharts();
