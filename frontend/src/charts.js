// The charts of the revenue page. The figures stand in the page as data, and again in
// the table below each chart; everything here is drawn from the former.
import * as echarts from "echarts/core";
import { BarChart, LineChart } from "echarts/charts";
import { AriaComponent, AxisPointerComponent, GridComponent } from "echarts/components";
import { SVGRenderer } from "echarts/renderers";
import { Tip } from "./tip.js";

echarts.use([BarChart, LineChart, AriaComponent, AxisPointerComponent, GridComponent, SVGRenderer]);

const GROUPS = ["new", "expansion", "contraction", "churned"];
const NAMES = {
  new: "New", expansion: "Expansion", contraction: "Contraction", churned: "Churned", net: "Net",
};
const dark = matchMedia("(prefers-color-scheme: dark)");
const still = matchMedia("(prefers-reduced-motion: reduce)");
let drawn = [];

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** The page's figures with ways to say them. */
function readFigures() {
  const block = document.getElementById("series");
  if (!block) return null;
  const data = JSON.parse(block.textContent);
  const money = (digits, more) => new Intl.NumberFormat("en-US", {
    style: "currency", currency: data.currency,
    minimumFractionDigits: digits, maximumFractionDigits: digits, ...more,
  });
  const exact = money(data.digits);
  const round = money(0);
  const short = money(0, { notation: "compact", maximumFractionDigits: 1 });
  const unit = 10 ** data.digits;
  const parts = (day, options) => new Intl.DateTimeFormat("en-US", { timeZone: "UTC", ...options })
    .formatToParts(new Date(`${day}T00:00:00Z`))
    .filter(({ type }) => type !== "literal");
  const inOrder = (day, options, order) => {
    const found = Object.fromEntries(parts(day, options).map(({ type, value }) => [type, value]));
    return order.map((type) => found[type]).join(" ");
  };
  return {
    ...data,
    major: (values) => values.map((value) => (value === null ? null : value / unit)),
    exact: (minor) => (minor === null ? "—" : exact.format(minor / unit)),
    signed: (minor) => (minor > 0 ? "+" : "") + (minor === null ? "—" : exact.format(minor / unit)),
    tick: (value) => (Math.abs(value) >= 100000 ? short : value % 1 ? exact : round).format(value),
    dayTick: (day) => inOrder(day, { month: "short", day: "numeric" }, ["day", "month"]),
    dayWords: (day) => inOrder(
      day, { weekday: "short", day: "numeric", month: "short", year: "numeric" }, ["weekday", "day", "month", "year"],
    ),
  };
}

/** The kinds of movement that the channel tells apart. */
const told = (figures) => GROUPS.filter((group) => figures.series[group].some((value) => value !== null));

/** What is the same in every chart. */
function base(figures, scale) {
  const soft = color("soft");
  return {
    animation: !still.matches,
    animationDuration: 350,
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily },
    grid: { left: 4, right: 10, top: 12, bottom: 4, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
    xAxis: {
      type: "category",
      data: figures.days,
      axisTick: { show: false },
      axisLine: { show: false },
      axisLabel: { color: soft, fontSize: 12, formatter: figures.dayTick, hideOverlap: true, margin: 12 },
      axisPointer: {
        show: true, triggerTooltip: false, type: "shadow", label: { show: false },
        shadowStyle: { color: color("text"), opacity: 0.07 },
      },
    },
    yAxis: {
      type: "value",
      scale,
      splitNumber: 4,
      axisLabel: { color: soft, fontSize: 12, formatter: figures.tick },
      splitLine: { lineStyle: { color: color("grid") } },
    },
  };
}

/** A zero line, for charts whose bars go both ways. */
const zero = () => ({ show: true, onZero: true, lineStyle: { color: color("line-strong"), width: 1 } });

const KINDS = {
  trend(figures) {
    const line = color("trend");
    const option = base(figures, true);
    option.xAxis.boundaryGap = false;
    option.xAxis.axisPointer.type = "line";
    option.xAxis.axisPointer.lineStyle = { color: color("line-strong"), type: "dashed" };
    option.grid.right = 24;
    option.series = [{
      type: "line", data: figures.major(figures.mrr), connectNulls: false,
      showSymbol: figures.days.length <= 14, symbol: "circle", symbolSize: 6,
      lineStyle: { color: line, width: 2.5, join: "round" }, itemStyle: { color: line },
      areaStyle: { color: line, opacity: 0.11, origin: "start" },
      emphasis: { disabled: true },
    }];
    if (figures.estimated) {
      option.series.push({
        type: "line", data: figures.major(figures.estimated), connectNulls: false, showSymbol: false,
        lineStyle: { color: line, width: 2, type: "dashed" }, itemStyle: { color: line },
        areaStyle: { color: line, opacity: 0.04, origin: "start" },
        emphasis: { disabled: true },
      });
    }
    return option;
  },

  waterfall(figures) {
    const option = base(figures, false);
    option.xAxis.axisLine = zero();
    if (!told(figures).length) {
      option.series = [{
        type: "bar", name: NAMES.net, data: figures.major(figures.series.net), barMaxWidth: 26,
        itemStyle: { color: color("trend"), borderRadius: 2 }, emphasis: { disabled: true },
      }];
      return option;
    }
    option.series = GROUPS.map((group) => ({
      type: "bar", stack: "moved", name: NAMES[group], data: figures.major(figures.series[group]),
      barMaxWidth: 26, itemStyle: { color: color(group), borderRadius: 2 }, emphasis: { disabled: true },
    }));
    option.series.push({
      type: "line", name: NAMES.net, data: figures.major(figures.series.net),
      symbol: "circle", symbolSize: figures.days.length > 40 ? 4 : 6, showSymbol: true,
      lineStyle: { width: 0 }, emphasis: { disabled: true }, z: 5,
      itemStyle: { color: color("text"), borderColor: color("card"), borderWidth: 1.5 },
    });
    return option;
  },

  revenue(figures) {
    const option = base(figures, false);
    const bar = color("revenue");
    const hatched = {
      color: color("card"), borderColor: bar, borderWidth: 1,
      decal: { symbol: "rect", dashArrayX: [1, 0], dashArrayY: [2, 4], rotation: Math.PI / 4, color: bar },
    };
    option.aria = { enabled: true, label: { enabled: false } };
    option.xAxis.axisLine = zero();
    option.series = [
      {
        type: "bar", stack: "net", name: "Net Revenue", barMaxWidth: 26, emphasis: { disabled: true },
        itemStyle: { color: bar, borderRadius: 3 },
        data: figures.major(figures.revenue).map((value, at) => (
          figures.partial[at] ? { value, itemStyle: hatched } : value)),
      },
      {
        type: "bar", stack: "net", name: "Refunds", barMaxWidth: 26, emphasis: { disabled: true },
        itemStyle: { color: color("refunds"), borderRadius: 3 }, data: figures.major(figures.refunds),
      },
    ];
    return option;
  },
};

/** What the tooltip of a day says: lines of a label and a text, and a remark. */
const SAID = {
  trend: (figures, at) => {
    const guess = figures.estimated?.[at] ?? null;
    const mrr = guess === null ? ["MRR", figures.mrr[at]] : ["MRR, estimated", guess];
    return {
      lines: [[mrr[0], figures.exact(mrr[1])], ["Net MRR Movement", figures.signed(figures.series.net[at])]],
      remark: mrr[1] === null ? figures.unmoved[at] : "",
    };
  },
  waterfall: (figures, at) => ({
    lines: [...told(figures), "net"].map((group) => [`${NAMES[group]}`, figures.signed(figures.series[group][at])]),
    remark: figures.unmoved[at],
  }),
  revenue: (figures, at) => ({
    lines: [
      ["Net Revenue", figures.exact(figures.revenue[at])],
      ["Charges", figures.charges[at] === null ? "—" : String(figures.charges[at])],
      ...(figures.refunds[at] === null ? [] : [["Refunds", figures.exact(figures.refunds[at])]]),
    ],
    remark: figures.why[at],
  }),
};

class Chart {
  constructor(place, figures) {
    this.kind = place.dataset.chart;
    this.place = place;
    this.figures = figures;
    this.at = -1;
    place.hidden = false;
    place.parentElement.querySelector(".legend")?.removeAttribute("hidden");
    this.chart = echarts.init(place, null, { renderer: "svg" });
    this.tip = new Tip(place);
    this.draw();
    this.listen();
  }

  draw() {
    this.chart.setOption(KINDS[this.kind](this.figures), true);
    // The picture has its name and its table already.
    this.place.querySelector("svg")?.setAttribute("aria-hidden", "true");
  }

  listen() {
    const surface = this.chart.getZr();
    surface.on("mousemove", (event) => this.show(this.dayAt(event), false));
    surface.on("globalout", () => this.hide());
    surface.on("click", (event) => this.open(this.dayAt(event)));
    this.place.addEventListener("keydown", (event) => this.onKey(event));
    this.place.addEventListener("blur", () => this.hide());
    this.watcher = new ResizeObserver(() => this.chart.resize());
    this.watcher.observe(this.place);
  }

  dayAt({ offsetX, offsetY }) {
    if (!this.chart.containPixel("grid", [offsetX, offsetY])) return -1;
    const at = this.chart.convertFromPixel({ xAxisIndex: 0 }, offsetX);
    return Math.min(Math.max(Math.round(at), 0), this.figures.days.length - 1);
  }

  onKey(event) {
    const last = this.figures.days.length - 1;
    const to = {
      ArrowRight: this.at < 0 ? 0 : Math.min(this.at + 1, last),
      ArrowLeft: this.at < 0 ? last : Math.max(this.at - 1, 0),
      Home: 0, End: last,
    }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      this.show(to, true);
    } else if (event.key === "Enter" && this.at >= 0) {
      this.open(this.at);
    } else if (event.key === "Escape") {
      this.hide();
    }
  }

  show(at, aloud) {
    if (at < 0) return this.hide();
    this.place.classList.add("over");
    if (at === this.at) return;
    this.at = at;
    const day = this.figures.days[at];
    const x = this.chart.convertToPixel({ xAxisIndex: 0 }, at);
    const y = this.place.clientHeight / 2;
    if (aloud) this.chart.dispatchAction({ type: "updateAxisPointer", currTrigger: "mousemove", x, y });
    this.tip.show(x, this.figures.dayWords(day), SAID[this.kind](this.figures, at), aloud);
  }

  hide() {
    this.at = -1;
    this.place.classList.remove("over");
    this.chart.dispatchAction({ type: "updateAxisPointer", currTrigger: "leave" });
    this.tip.hide();
  }

  open(at) {
    // No payments are kept of days that are estimated.
    if (at < 0 || (this.figures.estimated?.[at] ?? null) !== null) return;
    const part = this.kind === "revenue" ? "#revenue" : "#movements";
    location.assign(`/dashboard/revenue/${this.figures.source}/${this.figures.days[at]}${part}`);
  }

  end() {
    this.watcher.disconnect();
    this.tip.end();
    this.chart.dispose();
  }
}

function drawAll() {
  for (const one of drawn) one.end();
  const figures = readFigures();
  const places = figures ? document.querySelectorAll("[data-chart]") : [];
  drawn = [...places].map((place) => new Chart(place, figures));
}

// Colours change at once with the system's; a swapped page brings new figures.
dark.addEventListener("change", () => drawn.forEach((one) => one.draw()));
document.addEventListener("htmx:afterSettle", drawAll);
document.addEventListener("figures:new", drawAll);
drawAll();
