"use strict";
// Subscribe with strong-soap, renew and end the subscription; print what came back as JSON.

const { soap } = require("strong-soap");

const SG = {
  gt4: "http://docs.oasis-open.org/wsrf/2004/06/wsrf-WS-ServiceGroup-1.2-draft-01.xsd",
  oasis: "http://docs.oasis-open.org/wsrf/sg-2",
};
const SIMPLE = "http://docs.oasis-open.org/wsn/2004/06/TopicExpression/Simple";

async function load(url, dialect) {
  const wsdl = url + (dialect === "gt4" ? "?wsdl=gt4" : "?wsdl");
  const client = await new Promise((resolve, reject) => {
    soap.createClient(wsdl, {}, (error, made) => (error ? reject(error) : resolve(made)));
  });
  const [[name, service]] = Object.entries(client.describe());
  return client[name][Object.keys(service).find((port) => port.endsWith("Port"))];
}

function call(port, operation, argument) {
  return new Promise((resolve, reject) => {
    port[operation](argument, (error, result) =>
      error ? reject(error) : resolve(result),
    );
  });
}

async function main(url, dialect, consumer, initial, renewed) {
  const where = { ConsumerReference: { Address: consumer } };
  // QNames go out without a prefix, under a default namespace. In a Filter, of which no schema
  // says what it holds, that is the namespace of the element too: there all topics are asked for.
  const $attributes = { xmlns: SG[dialect], Dialect: SIMPLE };
  const topic = { TopicExpression: { $attributes, $value: "Entry" } };
  const reply = await call(await load(url, dialect), "Subscribe", {
    ...where,
    ...(dialect === "gt4" ? topic : {}),
    InitialTerminationTime: initial,
  });
  const manager = reply.SubscriptionReference.Address;

  const port = await load(manager, dialect);
  let time;
  if (dialect === "gt4") {
    const wanted = { RequestedTerminationTime: renewed };
    time = (await call(port, "SetTerminationTime", wanted)).NewTerminationTime;
    await call(port, "Destroy", {});
  } else {
    time = (await call(port, "Renew", { TerminationTime: renewed })).TerminationTime;
    await call(port, "Unsubscribe", {});
  }
  console.log(JSON.stringify({ manager, renewed: time }));
}

main(...process.argv.slice(2)).catch((error) => {
  console.error(error.body || error);
  process.exitCode = 1;
});
