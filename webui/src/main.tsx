import { render } from "preact";
import { Frame } from "./frame/Frame.tsx";
import { listenToKeys } from "./frame/keys.ts";
import { session } from "./live/queue.ts";
import "./styles/tokens.css";
import "./styles/ground.css";
import "./styles/frame.css";
import "./styles/parts.css";

const root = document.getElementById("page");
if (root === null) throw new Error("index.html has no element #page");
listenToKeys();
session.start();
addEventListener("online", () => session.retryNow());
render(<Frame />, root);
