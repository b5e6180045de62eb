// Runs in a page and reports what a reader would stumble over, as text in an element of its own: pieces of text that
// overlap or are cut off, a page wider than its window, text too pale for its background.
"use strict";
(function () {
  const found = [];
  const say = (kind, text) => found.push(kind + ": " + text);
  const name = (t) => JSON.stringify(t.trim().replace(/\s+/g, " ").slice(0, 60));

  for (const d of document.querySelectorAll("details")) d.open = true;

  // Every line of every piece of text, with its box.
  const lines = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let texts = 0;
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (!node.data.trim() || node.parentElement.closest("script, style, defs")) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) {
      if (box.width < 1 || box.height < 1) continue;
      texts++;
      // A line's box is higher than its letters: a fifth of it, above and below, may touch another's.
      const trim = node.parentElement.closest("svg") ? 0 : box.height * 0.2;
      lines.push({ node, left: box.left, right: box.right, top: box.top + trim, bottom: box.bottom - trim });
    }
  }
  const block = (node) => node.parentElement.closest("td, th, p, li, h1, h2, h3, summary, text, div");
  for (let i = 0; i < lines.length; i++) {
    for (let j = i + 1; j < lines.length; j++) {
      const a = lines[i], b = lines[j];
      const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (width > 1 && height > 1 && !(block(a.node) === block(b.node) && !a.node.parentElement.closest("svg"))) {
        say("overlap", name(a.node.data) + " and " + name(b.node.data));
      }
    }
  }

  // Text of a drawing must lie within it, and that of a cell within the cell.
  for (const line of lines) {
    const drawing = line.node.parentElement.closest("svg");
    const frame = (drawing || line.node.parentElement.closest("td, th, p, li") || document.body).getBoundingClientRect();
    if (line.left < frame.left - 1 || line.right > frame.right + 1 || line.top < frame.top - 1 || line.bottom > frame.bottom + 1) {
      say("cut off", name(line.node.data));
    }
  }
  if (document.documentElement.scrollWidth > window.innerWidth + 1) {
    say("too wide", document.documentElement.scrollWidth + " pixels in a window of " + window.innerWidth);
  }
  for (const box of document.querySelectorAll(".wide")) {
    if (window.innerWidth >= 1200 && box.scrollWidth > box.clientWidth + 1) say("too wide", "a table of " + box.scrollWidth + " pixels in " + box.clientWidth);
  }

  // Contrast as WCAG 2 defines it: 4.5 at least, and the text is the darker one.
  const channel = (v) => ((v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const luminance = (rgb) => 0.2126 * channel(rgb[0]) + 0.7152 * channel(rgb[1]) + 0.0722 * channel(rgb[2]);
  const parse = (color) => (color.match(/[\d.]+/g) || []).map(Number);
  const seen = new Set();
  for (const { node } of lines) {
    const element = node.parentElement;
    if (seen.has(element)) continue;
    seen.add(element);
    const style = getComputedStyle(element);
    const ink = parse(element.closest("svg") ? style.fill : style.color);
    let paper = [255, 255, 255];
    for (let e = element; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] === 1) { paper = c; break; }
    }
    const [dark, light] = [luminance(ink), luminance(paper)];
    if (dark > light || (light + 0.05) / (dark + 0.05) < 4.5) say("pale", name(node.data) + " in " + style.color + " on " + paper);
  }

  // Captions of axes: a unit and the key's size. Rotated text and the widest text below the ticks are captions.
  const drawings = document.querySelectorAll("svg");
  for (const svg of document.body.dataset.page === "result" ? [] : drawings) {
    const captions = [...svg.querySelectorAll("text")].filter((t) => /\[.*\]/.test(t.textContent));
    if (captions.length !== 2 || captions.some((t) => !/\d+-bit keys/.test(t.textContent))) {
      say("caption", "a drawing with " + captions.length + " captions that have a unit: " + captions.map((t) => name(t.textContent)).join(", "));
    }
  }

  const report = document.createElement("pre");
  report.id = "reading-report";
  report.textContent = "texts " + texts + ", drawings " + drawings.length + ", findings " + found.length + "\n" + found.slice(0, 40).join("\n") + "\nend of report";
  document.body.append(report);
})();
