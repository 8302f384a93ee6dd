"use strict";
// Subscribe with soap, renew and end the subscription; print what came back as JSON.

const soap = require("soap");

const NT = {
  oasis: "http://docs.oasis-open.org/wsn/b-2",
  gt4: "http://docs.oasis-open.org/wsn/2004/06/wsn-WS-BaseNotification-1.2-draft-01.xsd",
};
const SG = {
  oasis: "http://docs.oasis-open.org/wsrf/sg-2",
  gt4: "http://docs.oasis-open.org/wsrf/2004/06/wsrf-WS-ServiceGroup-1.2-draft-01.xsd",
};
const SIMPLE = {
  oasis: "http://docs.oasis-open.org/wsn/t-1/TopicExpression/Simple",
  gt4: "http://docs.oasis-open.org/wsn/2004/06/TopicExpression/Simple",
};

// The port of one SOAP version: a bare client.Subscribe would take the last one.
async function load(url, dialect, version) {
  const client = await soap.createClientAsync(
    url + (dialect === "gt4" ? "?wsdl=gt4" : "?wsdl"),
    { forceSoap12Headers: version === "1.2" },
  );
  const [[name, service]] = Object.entries(client.describe());
  const suffix = version === "1.2" ? "Port12" : "Port";
  return client[name][Object.keys(service).find((port) => port.endsWith(suffix))];
}

function call(port, operation, argument) {
  return new Promise((resolve, reject) => {
    port[operation](argument, (error, result) =>
      error ? reject(error) : resolve(result),
    );
  });
}

async function main(url, dialect, consumer, initial, renewed, version = "1.1") {
  // What is declared is written from its parts; what xsd:any stands for, from text.
  const attributes = { "xmlns:sg": SG[dialect], Dialect: SIMPLE[dialect] };
  const topic = { TopicExpression: { attributes, $value: "sg:Entry" } };
  const text =
    `<n:TopicExpression xmlns:n="${NT[dialect]}" xmlns:sg="${SG[dialect]}"` +
    ` Dialect="${SIMPLE[dialect]}">sg:Entry</n:TopicExpression>`;
  const where = { ConsumerReference: { Address: consumer } };
  const until = { InitialTerminationTime: initial };
  const filter = dialect === "gt4" ? topic : { Filter: { $xml: text } };
  const group = await load(url, dialect, version);
  const reply = await call(group, "Subscribe", { ...where, ...filter, ...until });
  const manager = reply.SubscriptionReference.Address;

  const port = await load(manager, dialect, version);
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
