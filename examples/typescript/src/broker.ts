/** A toy in the place where your broker's library goes. */

import type { Execution } from "./generated/tidegate/v1/Execution.js";
import type { Order__Output } from "./generated/tidegate/v1/Order.js";
import type { WatchBarsResponse__Output } from "./generated/tidegate/v1/WatchBarsResponse.js";

/**
 * Fills an order at its limit, or at the newest bar's close, as soon as that close allows it.
 *
 * It knows orders by the gate's order id, and remembers all that it did.
 */
export class ToyBroker {
    private readonly marks = new Map<string, string>();
    private readonly working = new Map<string, Order__Output>();
    private readonly told = new Map<string, Execution[]>();

    knows(orderId: string): boolean {
        return this.told.has(orderId);
    }

    /** All that it did to an order. */
    executions(orderId: string): Execution[] {
        return this.told.get(orderId) ?? [];
    }

    place(order: Order__Output): Execution[] {
        if (order.order?.stopPrice) {
            return [this.say(order.orderId, { executionType: "EXECUTION_TYPE_REJECTED" })]; // this toy has no stop orders
        }
        this.working.set(order.orderId, order);
        return [this.say(order.orderId, { executionType: "EXECUTION_TYPE_NEW" }), ...this.fill(order)];
    }

    /** Cancel what still works; what does not is too late to cancel. */
    cancel(orderId: string): Execution[] {
        const worked = this.working.delete(orderId);
        return [
            this.say(orderId, { executionType: worked ? "EXECUTION_TYPE_CANCELED" : "EXECUTION_TYPE_CANCEL_REJECTED" }),
        ];
    }

    /** Take a bar's closes, and fill what they allow. */
    move(bar: WatchBarsResponse__Output): Execution[] {
        bar.bars.forEach(({ symbol, close }) => this.marks.set(symbol, close));
        return [...this.working.values()].flatMap((order) => this.fill(order));
    }

    private fill(order: Order__Output): Execution[] {
        const ask = order.order;
        const mark = ask ? this.marks.get(ask.symbol) : undefined;
        if (!ask || mark === undefined) {
            return [];
        }
        // Numbers only to compare; what is reported is the decimal itself, as text.
        const room = Number(ask.limitPrice || mark) - Number(mark);
        if ((ask.side === "SIDE_BUY" ? room : -room) < 0) {
            return [];
        }
        this.working.delete(order.orderId);
        const lastPrice = ask.limitPrice || mark;
        const lastQuantity = order.leavesQuantity;
        return [this.say(order.orderId, { executionType: "EXECUTION_TYPE_TRADE", lastQuantity, lastPrice, fee: "0.01" })];
    }

    /** Report, under an id that no other report of this account has. */
    private say(orderId: string, facts: Execution): Execution {
        const told = this.executions(orderId);
        const execution: Execution = { executionId: `${orderId}-${told.length}`, orderId, ...facts };
        this.told.set(orderId, [...told, execution]);
        return execution;
    }
}
