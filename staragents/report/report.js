// Draws the page's charts and keeps their text and grid in step with the light or dark scheme.
(function () {
  "use strict";
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const config = {
    responsive: true,
    displaylogo: false,
    displayModeBar: "hover",
    modeBarButtons: [["toImage", "resetScale2d"]],
  };

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

  function draw() {
    for (const name of Object.keys(figures)) {
      const figure = figures[name];
      Plotly.react(document.getElementById("chart-" + name), figure.data, themed(figure.layout), config);
    }
  }

  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
})();
