// The tooltip of a chart: text beside the pointer, read aloud for the keyboard.
export class Tip {
  constructor(place) {
    this.place = place;
    this.box = document.createElement("div");
    this.box.className = "tip";
    this.box.hidden = true;
    this.voice = document.createElement("p");
    this.voice.className = "hidden";
    this.voice.setAttribute("aria-live", "polite");
    place.parentElement.append(this.box, this.voice);
  }

  show(x, title, { lines, remark }, aloud) {
    const heading = element("strong", title);
    const list = document.createElement("dl");
    for (const [label, text] of lines) list.append(element("dt", label), element("dd", text));
    this.box.replaceChildren(heading, list, ...(remark ? [element("p", remark)] : []));
    this.box.hidden = false;
    this.position(x);
    if (aloud) {
      this.voice.textContent = [title, ...lines.map((line) => line.join(" ")), remark].join(", ");
    }
  }

  position(x) {
    const { offsetLeft: left, offsetTop: top, clientWidth: width } = this.place;
    const own = this.box.offsetWidth;
    const beside = x + 16 + own > width ? x - 16 - own : x + 16;
    this.box.style.transform = `translate(${left + Math.max(0, beside)}px, ${top + 8}px)`;
  }

  hide() {
    this.box.hidden = true;
  }

  end() {
    this.box.remove();
    this.voice.remove();
  }
}

function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}
