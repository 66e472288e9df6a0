/** The adapter: orders from the gate to the broker, and what the broker did back to the gate. */

import { createHash } from "node:crypto";
import { setTimeout } from "node:timers/promises";

import type { ToyBroker } from "./broker.js";
import type { Gate } from "./gate.js";
import type { Execution } from "./generated/tidegate/v1/Execution.js";
import type { Order__Output } from "./generated/tidegate/v1/Order.js";
import type { OrderInstruction__Output } from "./generated/tidegate/v1/OrderInstruction.js";
import { isAway } from "./refusal.js";

const PAUSE_MS = 1_000;

export class Adapter {
    constructor(
        private readonly gate: Gate,
        private readonly broker: ToyBroker,
    ) {}

    /** Work until the gateway goes away; then begin anew, with what the broker did meanwhile. */
    async run(): Promise<never> {
        for (;;) {
            try {
                await this.recover();
                await this.follow();
            } catch (error) {
                if (!isAway(error)) {
                    throw error; // a mistake, which repeating does not mend
                }
                console.error(`gateway away: ${error}`);
                await setTimeout(PAUSE_MS);
            }
        }
    }

    /** Tell again all that the broker did to orders that the gate believes working. */
    private async recover(): Promise<void> {
        const executions: Execution[] = [];
        for await (const order of this.gate.workingOrders()) {
            executions.push(...this.broker.executions(order.orderId));
        }
        await this.gate.report(executions);
    }

    /** Follow bars and orders until one of the two streams breaks. */
    private async follow(): Promise<void> {
        const bars = this.gate.watchBars();
        const orders = this.gate.watchOrders();
        const followBars = async (): Promise<void> => {
            for await (const bar of bars) {
                await this.gate.report(this.broker.move(bar));
            }
        };
        const followOrders = async (): Promise<void> => {
            for await (const message of orders) {
                await this.obey(message.instructions);
            }
        };
        try {
            await Promise.all([followBars(), followOrders()]);
        } finally {
            bars.cancel();
            orders.cancel();
        }
    }

    /** Claim what is to be sent, then send it; have canceled what is to be canceled. */
    private async obey(instructions: OrderInstruction__Output[]): Promise<void> {
        const sends = instructions.flatMap(({ send }) => send ?? []);
        const claims = await this.gate.claim(sends);
        const executions: Execution[] = [];
        for (const [index, order] of sends.entries()) {
            const claim = claims[index];
            if (claim?.outcome === "CLAIM_OUTCOME_REFUSED") {
                console.error(`not sent: ${claim.reasonCode}: ${claim.reason}`);
            } else if (!this.broker.knows(order.orderId)) {
                // Claimed before, it may have been sent: that is why the broker is asked first.
                executions.push(...this.broker.place(order));
            }
        }
        for (const order of instructions.flatMap(({ cancel }) => cancel ?? [])) {
            const known = this.broker.knows(order.orderId);
            executions.push(...(known ? this.broker.cancel(order.orderId) : [neverSent(order)]));
        }
        executions.push(...instructions.flatMap(({ replace }) => (replace ? [notReplaced(replace)] : [])));
        await this.gate.report(executions);
    }
}

/** The report that an order works on as it was: this broker replaces nothing. */
function notReplaced(order: Order__Output): Execution {
    const name = createHash("md5").update(order.replacement?.clientOrderId ?? "").digest("hex");
    const executionId = `${order.orderId}-not-replaced-${name.slice(0, 8)}`;
    return { executionId, orderId: order.orderId, executionType: "EXECUTION_TYPE_REPLACE_REJECTED" };
}

/** The report on an order that was canceled before the broker ever had it. */
function neverSent(order: Order__Output): Execution {
    const executionId = `${order.orderId}-never-sent`;
    return { executionId, orderId: order.orderId, executionType: "EXECUTION_TYPE_CANCELED" };
}
