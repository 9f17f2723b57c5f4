/** The thread behind `timers.ts`: it counts time, and says whose is over. */

import type { Order } from "./timers.ts";

const running = new Map<number, ReturnType<typeof setInterval>>();

addEventListener("message", ({ data: { id, ms, isRepeated } }: MessageEvent<Order>) => {
  clearInterval(running.get(id));
  running.delete(id);
  if (ms === undefined) return;
  const tell = () => {
    if (isRepeated !== true) running.delete(id);
    postMessage(id);
  };
  running.set(id, isRepeated === true ? setInterval(tell, ms) : setTimeout(tell, ms));
});
