// The moment of graduation on the candle chart: a thin upright line through the bucket in which it happened.
/** A primitive of lightweight-charts; `place` says where, `paint` in which colour. */
export class GraduationMark {
  #time = null;
  #color = "";
  #chart = null;
  #redraw = () => {};

  attached({ chart, requestUpdate }) {
    this.#chart = chart;
    this.#redraw = requestUpdate;
  }

  detached() {
    this.#chart = null;
    this.#redraw = () => {};
  }

  /** Stand at the bar of that time, null for nowhere. */
  place(time) {
    if (time === this.#time) return;
    this.#time = time;
    this.#redraw();
  }

  paint(color) {
    this.#color = color;
    this.#redraw();
  }

  paneViews() {
    return [{ zOrder: () => "bottom", renderer: () => ({ draw: (target) => target.useMediaCoordinateSpace((scope) => this.#draw(scope)) }) }];
  }

  #draw({ context, mediaSize }) {
    const x = this.#time === null ? null : this.#chart?.timeScale().timeToCoordinate(this.#time);
    if (x === null || x === undefined) return;
    context.fillStyle = this.#color;
    context.fillRect(Math.round(x), 0, 1, mediaSize.height);
  }
}
