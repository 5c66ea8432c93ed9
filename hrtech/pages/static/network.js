// Lets a network be looked at: nearer, by name, by kind of link, and one node with its evidence.
// Places are those of the picture; nothing is laid out here. Without it the picture and its tables are complete.
(function () {
  "use strict";
  var LINE = 15, LETTER = 6.9;

  function made(tag, name, words) {
    var element = document.createElement(tag);
    if (name) { element.className = name; }
    if (words) { element.textContent = words; }
    return element;
  }

  function all(root, selector) { return Array.prototype.slice.call(root.querySelectorAll(selector)); }

  function Look(svg) {
    var self = this;
    this.svg = svg;
    this.box = svg.getAttribute("viewBox").split(" ").map(Number);
    this.view = this.box.slice();
    this.nodes = all(svg, "circle[data-node]").map(function (circle) {
      return {
        circle: circle,
        id: circle.getAttribute("data-node"),
        label: circle.getAttribute("data-label"),
        kind: circle.getAttribute("data-kind"),
        details: (circle.getAttribute("data-details") || "").split("\n").filter(Boolean),
        rank: Number(circle.getAttribute("data-rank")) - (circle.hasAttribute("stroke") ? 1e9 : 0),
        x: Number(circle.getAttribute("cx")),
        y: Number(circle.getAttribute("cy")),
        radius: Number(circle.getAttribute("r")),
        text: null
      };
    });
    this.byId = {};
    this.nodes.forEach(function (node) { self.byId[node.id] = node; });
    all(svg, "text[data-of]").forEach(function (text) { self.byId[text.getAttribute("data-of")].text = text; });
    this.edges = all(svg, "line[data-source]").map(function (line) {
      return {
        line: line,
        source: line.getAttribute("data-source"),
        target: line.getAttribute("data-target"),
        label: line.getAttribute("data-label"),
        details: line.getAttribute("data-details") || "",
        strength: Number(line.getAttribute("data-strength") || 1),
        width: Number(line.getAttribute("stroke-width")),
        shown: true
      };
    });
    this.captions = all(svg, "text:not([data-of])");
    this.ranked = this.nodes.slice().sort(function (a, b) { return a.rank - b.rank; });
    this.chosen = null;
    this.off = {};
    this.least = 0;
    this.controls();
    this.gestures();
  }

  Look.prototype.scale = function () { return this.view[2] / this.box[2]; };

  // what is drawn keeps its size on the screen, so a nearer look gives room
  Look.prototype.show = function () {
    var k = this.scale(), near = Math.pow(k, 0.75), self = this;
    this.svg.setAttribute("viewBox", this.view.join(" "));
    this.nodes.forEach(function (node) { node.circle.setAttribute("r", node.radius * near); });
    this.edges.forEach(function (edge) { edge.line.setAttribute("stroke-width", edge.width * near); });
    this.captions.forEach(function (text) { text.setAttribute("font-size", 11 * k); });
    var taken = [];
    var order = this.chosen ? this.around(this.chosen).concat(this.ranked) : this.ranked, seen = {};
    order.forEach(function (node) {
      if (!node.text || seen[node.id]) { return; }
      seen[node.id] = true;
      var right = node.text.getAttribute("text-anchor") === "end";
      var start = node.x + (right ? -1 : 1) * (node.radius * near + 6 * k);
      var width = node.text.textContent.length * LETTER * k, half = LINE * k / 2;
      var box = [right ? start - width : start, node.y - half, right ? start : start + width, node.y + half];
      var inside = box[2] > self.view[0] && box[0] < self.view[0] + self.view[2] &&
        node.y > self.view[1] && node.y < self.view[1] + self.view[3];
      var free = inside && !node.circle.classList.contains("faded") && taken.every(function (other) {
        return box[2] < other[0] || other[2] < box[0] || box[3] < other[1] || other[3] < box[1];
      });
      if (free) { taken.push(box); }
      node.text.setAttribute("display", free ? "inline" : "none");
      node.text.setAttribute("x", start);
      node.text.setAttribute("y", node.y + 4 * k);
      node.text.setAttribute("font-size", 12.5 * k);
    });
  };

  Look.prototype.around = function (node) {
    var self = this, found = [node];
    this.edges.forEach(function (edge) {
      if (!edge.shown) { return; }
      if (edge.source === node.id) { found.push(self.byId[edge.target]); }
      if (edge.target === node.id) { found.push(self.byId[edge.source]); }
    });
    return found;
  };

  Look.prototype.zoom = function (factor, x, y) {
    var width = Math.min(Math.max(this.view[2] * factor, this.box[2] / 40), this.box[2]);
    var by = width / this.view[2];
    x = x === undefined ? this.view[0] + this.view[2] / 2 : x;
    y = y === undefined ? this.view[1] + this.view[3] / 2 : y;
    this.view = [x - (x - this.view[0]) * by, y - (y - this.view[1]) * by, width, this.view[3] * by];
    this.hold();
  };

  Look.prototype.hold = function () {
    for (var side = 0; side < 2; side += 1) {
      var most = this.box[side] + this.box[side + 2] - this.view[side + 2];
      this.view[side] = Math.min(Math.max(this.view[side], this.box[side]), Math.max(most, this.box[side]));
    }
    this.show();
  };

  Look.prototype.choose = function (node, near) {
    this.chosen = node;
    var kept = {};
    if (node) { this.around(node).forEach(function (other) { kept[other.id] = true; }); }
    this.nodes.forEach(function (other) {
      other.circle.classList.toggle("faded", Boolean(node) && !kept[other.id]);
      other.circle.classList.toggle("chosen", other === node);
    });
    this.edges.forEach(function (edge) {
      var touches = node && (edge.source === node.id || edge.target === node.id);
      edge.line.classList.toggle("faded", Boolean(node) && !touches);
    });
    this.captions.forEach(function (text) { text.classList.toggle("faded", Boolean(node)); });
    this.tell(node);
    if (node && near) {
      var width = Math.min(this.view[2], this.box[2] / 3);
      this.view = [node.x - width / 2, node.y - width * this.box[3] / this.box[2] / 2, width,
        width * this.box[3] / this.box[2]];
      this.hold();
    } else {
      this.show();
    }
  };

  Look.prototype.tell = function (node) {
    var panel = this.panel, self = this;
    panel.textContent = "";
    panel.hidden = !node;
    if (!node) { return; }
    panel.appendChild(made("h4", "", node.label + (node.kind ? " (" + node.kind + ")" : "")));
    var list = made("ul");
    node.details.forEach(function (words) { list.appendChild(made("li", "", words)); });
    panel.appendChild(list);
    var links = made("ul", "ties");
    this.edges.filter(function (edge) {
      return edge.shown && (edge.source === node.id || edge.target === node.id);
    }).sort(function (a, b) { return b.strength - a.strength; }).forEach(function (edge) {
      var other = self.byId[edge.source === node.id ? edge.target : edge.source], item = made("li");
      var go = made("button", "plain", other.label);
      go.type = "button";
      go.addEventListener("click", function () { self.choose(other, true); });
      item.appendChild(go);
      item.appendChild(document.createTextNode(": " + (edge.details || edge.label)));
      links.appendChild(item);
    });
    if (links.children.length) { panel.appendChild(links); }
  };

  Look.prototype.filter = function () {
    var self = this;
    this.edges.forEach(function (edge) {
      var left = edge.label.split("+").some(function (kind) { return !self.off[kind]; });
      edge.shown = left && edge.strength >= self.least;
      edge.line.setAttribute("display", edge.shown ? "inline" : "none");
    });
    this.choose(this.chosen, false);
  };

  Look.prototype.controls = function () {
    var self = this, bar = made("div", "look"), names = made("datalist"), id = "names-" + Look.count++;
    function button(words, label, act) {
      var one = made("button", "", words);
      one.type = "button";
      one.setAttribute("aria-label", label);
      one.addEventListener("click", act);
      bar.appendChild(one);
    }
    var label = made("label", "", "Find "), search = made("input");
    search.type = "search";
    search.setAttribute("list", id);
    names.id = id;
    this.nodes.slice().sort(function (a, b) { return a.label < b.label ? -1 : 1; }).forEach(function (node) {
      var option = made("option");
      option.value = node.label;
      names.appendChild(option);
    });
    search.addEventListener("change", function () {
      var words = search.value.trim().toLowerCase();
      var found = words && (self.ranked.filter(function (n) { return n.label.toLowerCase() === words; })[0] ||
        self.ranked.filter(function (n) { return n.label.toLowerCase().indexOf(words) >= 0; })[0]);
      search.setAttribute("aria-invalid", words && !found ? "true" : "false");
      if (found) { self.choose(found, true); } else if (!words) { self.choose(null, false); }
    });
    label.appendChild(search);
    bar.appendChild(label);
    bar.appendChild(names);
    button("+", "Nearer", function () { self.zoom(1 / 1.5); });
    button("−", "Farther", function () { self.zoom(1.5); });
    button("Whole", "Show the whole network", function () {
      self.view = self.box.slice();
      self.choose(null, false);
    });
    var kinds = {};
    // a link of several kinds is shown while one of them is
    this.edges.forEach(function (edge) { edge.label.split("+").forEach(function (kind) { kinds[kind] = true; }); });
    if (Object.keys(kinds).length > 1) {
      Object.keys(kinds).sort().forEach(function (kind) {
        var one = made("label"), box = made("input");
        box.type = "checkbox";
        box.checked = true;
        box.addEventListener("change", function () { self.off[kind] = !box.checked; self.filter(); });
        one.appendChild(box);
        one.appendChild(document.createTextNode(" " + kind.replace(/_/g, " ")));
        bar.appendChild(one);
      });
    }
    if (this.edges.some(function (edge) { return edge.strength < 1; })) {
      var least = made("label", "", "Links of at least "), slider = made("input"), told = made("output", "", "0");
      slider.type = "range";
      slider.min = "0";
      slider.max = "1";
      slider.step = "0.05";
      slider.value = "0";
      slider.addEventListener("input", function () {
        self.least = Number(slider.value);
        told.textContent = slider.value;
        self.filter();
      });
      least.appendChild(slider);
      least.appendChild(told);
      bar.appendChild(least);
    }
    this.panel = made("div", "told");
    this.panel.hidden = true;
    this.panel.setAttribute("aria-live", "polite");
    var holder = this.svg.parentNode;
    holder.parentNode.insertBefore(bar, holder);
    holder.parentNode.insertBefore(this.panel, holder.nextSibling);
    holder.classList.add("lookable");
  };

  Look.count = 0;

  Look.prototype.point = function (event) {
    var frame = this.svg.getBoundingClientRect();
    return [this.view[0] + (event.clientX - frame.left) / frame.width * this.view[2],
      this.view[1] + (event.clientY - frame.top) / frame.height * this.view[3], frame];
  };

  Look.prototype.gestures = function () {
    var self = this, svg = this.svg, from = null, moved = false;
    // the wheel scrolls the page until the picture has been clicked
    svg.addEventListener("wheel", function (event) {
      if (!self.held && !event.ctrlKey) { return; }
      event.preventDefault();
      var at = self.point(event);
      self.zoom(event.deltaY > 0 ? 1.2 : 1 / 1.2, at[0], at[1]);
    }, { passive: false });
    svg.addEventListener("pointerdown", function (event) {
      self.held = true;
      moved = false;
      from = { x: event.clientX, y: event.clientY, view: self.view.slice() };
    });
    svg.addEventListener("pointermove", function (event) {
      if (!from) { return; }
      var frame = svg.getBoundingClientRect(), dx = event.clientX - from.x, dy = event.clientY - from.y;
      if (Math.abs(dx) + Math.abs(dy) < 4) { return; }
      moved = true;
      self.view[0] = from.view[0] - dx / frame.width * self.view[2];
      self.view[1] = from.view[1] - dy / frame.height * self.view[3];
      self.hold();
    });
    window.addEventListener("pointerup", function () { from = null; });
    document.addEventListener("pointerdown", function (event) {
      if (!svg.contains(event.target)) { self.held = false; }
    });
    svg.addEventListener("click", function (event) {
      if (moved) { return; }
      var id = event.target.getAttribute("data-node") || event.target.getAttribute("data-of");
      self.choose(id ? self.byId[id] : null, false);
    });
    svg.addEventListener("dblclick", function (event) {
      var at = self.point(event);
      self.zoom(1 / 1.8, at[0], at[1]);
    });
    this.nodes.forEach(function (node) {
      var title = document.createElementNS("http://www.w3.org/2000/svg", "title");
      title.textContent = node.label;
      node.circle.appendChild(title);
    });
  };

  all(document, "svg.network").forEach(function (svg) { new Look(svg).show(); });
})();
