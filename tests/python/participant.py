"""A participant with nothing but a stock Kafka client (confluent-kafka) and the headers that the README documents.

Two styles:

* `headers`: echoes the command id in `ce_causationid` and says its outcome in `skald-outcome`. The reply's key is the saga key, and the
  client's own partitioner chooses the partition (CRC32, so it is often not the saga's lane).
* `spring`: answers like a Spring Kafka listener: it echoes `kafka_correlationId` to `kafka_replyTopic`, into `kafka_replyPartition`, and
  sets no header of Skald's. What the answer means stands in its body; the contract's `outcome` expression reads it.

It keeps one state per forward command id: none, effect, compensated, refused. The ledger is written to a file at the end of each batch,
one JSON object a line, the newest entry of an id counts.

    python participant.py --brokers HOST:PORT --group NAME --ledger FILE --style headers TOPIC...
"""

import argparse
import json
import signal
import struct
import sys

from confluent_kafka import Consumer, Producer


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--brokers", required=True)
    parser.add_argument("--group", required=True)
    parser.add_argument("--ledger", required=True)
    parser.add_argument("--style", choices=["headers", "spring"], required=True)
    parser.add_argument("topics", nargs="+")
    return parser.parse_args()


class Ledger:
    """One state per forward command id, stored before the reply is sent."""

    def __init__(self, path):
        self.states = {}
        self.file = open(path, "a", encoding="utf-8")

    def set(self, command, state):
        self.states[command] = state
        self.file.write(json.dumps({"id": command, "state": state}) + "\n")
        self.file.flush()

    def carry_out(self, kind, command, compensates, body):
        """The outcome of a command: `ok` or `refused`."""
        if compensates:
            if self.states.get(compensates) != "refused":
                self.set(compensates, "compensated")
            return "ok"
        state = self.states.get(command)
        if state in ("compensated", "refused"):
            return "refused"
        if state is None:
            refused = str(body.get("order", "")).startswith(f"refuse-{kind}")
            self.set(command, "refused" if refused else "effect")
            return "refused" if refused else "ok"
        return "ok"


def reply(style, headers, key, outcome):
    """Topic, partition (None: the client chooses), key, body and headers of the answer."""
    if style == "spring":
        (partition,) = struct.unpack(">i", headers["kafka_replyPartition"])
        correlation = [("kafka_correlationId", headers["kafka_correlationId"])]
        body = {"status": "DONE" if outcome == "ok" else "SOLD_OUT"}
        return headers["kafka_replyTopic"].decode(), partition, None, body, correlation
    echoed = [
        ("ce_causationid", headers["ce_id"]),
        ("skald-outcome", outcome.encode()),
        ("skald-attempt", headers["skald-attempt"]),
    ]
    return headers["skald-reply-to"].decode(), None, key, {"by": "python"}, echoed


def main():
    options = arguments()
    consumer = Consumer(
        {
            "bootstrap.servers": options.brokers,
            "group.id": options.group,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
        }
    )
    producer = Producer({"bootstrap.servers": options.brokers})
    ledger = Ledger(options.ledger)
    running = True

    def stop(_signal, _frame):
        nonlocal running
        running = False

    signal.signal(signal.SIGTERM, stop)
    consumer.subscribe(options.topics)
    print("ready", flush=True)
    while running:
        messages = consumer.consume(100, timeout=0.2)
        for message in messages:
            if message.error():
                print(message.error(), file=sys.stderr, flush=True)
                continue
            headers = dict(message.headers() or [])
            command = headers["ce_id"].decode()
            compensates = headers.get("skald-compensates", b"").decode()
            body = json.loads(message.value() or b"{}")
            kind = headers["ce_type"].decode()
            outcome = ledger.carry_out(kind, command, compensates, body)
            topic, partition, key, answer, echoed = reply(options.style, headers, message.key(), outcome)
            where = {} if partition is None else {"partition": partition}
            producer.produce(topic, json.dumps(answer).encode(), key=key, headers=echoed, **where)
        if messages:
            producer.flush(10)
            consumer.commit(asynchronous=False)
    consumer.close()


if __name__ == "__main__":
    main()
