/** The command line. */

import { parseArgs } from "node:util";

import { Adapter } from "./adapter.js";
import { ToyBroker } from "./broker.js";
import { Gate } from "./gate.js";
import { isServiceError, refusalOf } from "./refusal.js";

const { values } = parseArgs({
    options: {
        address: { type: "string", default: "127.0.0.1:50051" },
        adapter: { type: "string", default: "broker" },
        account: { type: "string", default: "demo" },
        // What `tidegate run` adds for the adapters that it starts: end when standard input is closed.
        "exit-with-parent": { type: "boolean", default: false },
    },
});

if (values["exit-with-parent"]) {
    process.stdin.resume().on("end", () => process.exit(0));
}
try {
    await new Adapter(new Gate(values.address, values.adapter, values.account), new ToyBroker()).run();
} catch (error) {
    if (!isServiceError(error)) {
        throw error;
    }
    const refusal = refusalOf(error);
    console.error(`refused: ${refusal.reason || refusal.code}: ${refusal.text}${refusal.field && ` (${refusal.field})`}`);
    process.exit(1);
}
