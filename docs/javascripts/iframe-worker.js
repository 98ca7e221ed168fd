/* A page that is opened as a file may start no worker: the search then runs in a hidden frame. */
if (location.protocol === "file:") {
  window.Worker = class {
    onmessage = null;
    #frame = document.createElement("iframe");
    #ready;

    constructor(address) {
      const script = new URL(address, location);
      this.#frame.hidden = true;
      this.#frame.srcdoc = `<script>
        self.postMessage = (data) => parent.postMessage(data, "*");
      <\/script><script src="${script}"><\/script>`;
      this.#ready = new Promise((ready) => this.#frame.addEventListener("load", ready));
      addEventListener("message", (event) => {
        if (event.source === this.#frame.contentWindow) this.onmessage?.(event);
      });
      document.body.append(this.#frame);
    }

    async postMessage(data) {
      const copied = structuredClone(data); // a worker may change what it is told
      await this.#ready;
      const told = new MessageEvent("message", { data: copied });
      this.#frame.contentWindow.dispatchEvent(told);
    }

    terminate() {
      this.#frame.remove();
    }
  };
}
