// Draws the charts anew where scripts run: they fit the window and answer to the pointer.
// Without it every page is complete: pictures, tables and links are in the HTML.
(function () {
  "use strict";
  var charts = window.evidenceCharts || {};
  var narrow = window.matchMedia("(max-width: 40rem)").matches;

  function fit(spec) {
    var copy = JSON.parse(JSON.stringify(spec));
    if (narrow) {
      copy.config.axis.labelLimit = 135;
      copy.config.axis.labelFontSize = 12;
      copy.config.axisXQuantitative = { tickCount: 4 };
    }
    return copy;
  }

  function draw(figure) {
    var spec = charts[figure.getAttribute("data-chart")];
    var live = figure.querySelector(".live");
    if (!spec || !live || !window.vegaEmbed) { return; }
    // a chart that does not fit itself to the window stays a picture on a narrow one
    if (narrow && spec.width !== "container") { return; }
    live.hidden = false;
    live.classList.add("measuring");
    window.vegaEmbed(live, fit(spec), {
      mode: "vega-lite",
      // expressions are interpreted, never evaluated, so the page needs no unsafe-eval
      ast: true,
      actions: false,
      renderer: "svg",
      defaultStyle: false,
      // errors only
      logLevel: 1,
      tooltip: { disableDefaultStyle: true, theme: "site" }
    }).then(function () {
      live.classList.remove("measuring");
      figure.classList.add("is-live");
    }, function () {
      live.hidden = true;
    });
  }

  Array.prototype.forEach.call(document.querySelectorAll("figure[data-chart]"), draw);

  // a link to a number lands on its entry; the keyboard goes there too
  function land() {
    var target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target && target.hasAttribute("tabindex")) { target.focus({ preventScroll: true }); }
  }
  window.addEventListener("hashchange", land);
  land();
})();
