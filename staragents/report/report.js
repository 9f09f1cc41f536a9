// Draws the page's charts and adapts their text and grid to the light or dark scheme.
(function () {
  "use strict";
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const config = {
    responsive: true,
    displaylogo: false,
    displayModeBar: "hover",
    modeBarButtons: [["toImage", "resetScale2d"]],
  };

  // Charts are drawn one by one while the page is idle, so that scrolling and the table stay responsive. The timeout
  // is for pages that are never idle, such as during printing or screenshots.
  function idle() {
    return new Promise((resume) => {
      if (window.requestIdleCallback) requestIdleCallback(resume, { timeout: 500 });
      else setTimeout(resume);
    });
  }

  function themed(layout) {
    const css = getComputedStyle(document.documentElement);
    const ink = css.getPropertyValue("--ink").trim();
    const soft = css.getPropertyValue("--soft").trim();
    const line = css.getPropertyValue("--line").trim();
    const paper = css.getPropertyValue("--raised").trim();
    const result = Object.assign({}, layout, {
      font: { color: ink, size: 12.5, family: getComputedStyle(document.body).fontFamily },
      hoverlabel: Object.assign({}, layout.hoverlabel, {
        bgcolor: paper, bordercolor: line, font: { color: ink },
      }),
      modebar: { bgcolor: "rgba(0,0,0,0)", color: soft, activecolor: ink },
    });
    for (const axis of ["xaxis", "yaxis"]) {
      result[axis] = Object.assign({}, layout[axis], {
        gridcolor: line, linecolor: line, tickfont: { color: soft },
        title: Object.assign({}, layout[axis].title, { font: { color: soft, size: 12.5 } }),
      });
    }
    return result;
  }

  async function draw() {
    for (const name of Object.keys(figures)) {
      const figure = figures[name];
      await idle();
      Plotly.react(document.getElementById("chart-" + name), figure.data, themed(figure.layout), config);
    }
    performance.mark("charts-drawn");
  }

  async function start() {
    if (typeof candidateTable !== "undefined") await candidateTable.ready;
    await idle();
    const plotly = document.createElement("script"); // takes a second to run, so it comes last
    plotly.textContent = document.getElementById("plotly").textContent;
    document.head.append(plotly);
    await draw();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  }

  start();
})();
