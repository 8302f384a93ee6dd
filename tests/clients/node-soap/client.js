"use strict";
// Add a member, read the entries and renew the entry with soap; print what came back as JSON.

const soap = require("soap");

const AGG = "http://mds.globus.org/aggregator/types";
const DRAFT = "http://docs.oasis-open.org/wsrf/2004/06/wsrf-WS-";
const NAMES = {
  gt4: {
    sg: `${DRAFT}ServiceGroup-1.2-draft-01.xsd`,
    rp: `${DRAFT}ResourceProperties-1.2-draft-01.xsd`,
  },
  oasis: {
    sg: "http://docs.oasis-open.org/wsrf/sg-2",
    rp: "http://docs.oasis-open.org/wsrf/rp-2",
  },
};
const CONTENT =
  `<a:AggregatorConfig xmlns:a="${AGG}"><a:GetResourcePropertyPollType` +
  ' xmlns:w="http://widgets.example/"><a:PollIntervalMillis>60000</a:PollIntervalMillis>' +
  "<a:ResourcePropertyName>w:foo</a:ResourcePropertyName></a:GetResourcePropertyPollType>" +
  `</a:AggregatorConfig><a:AggregatorData xmlns:a="${AGG}"/>`;

// The client and its port of one SOAP version: a bare client.Add would take the last one.
async function load(url, dialect, version) {
  const options = { forceSoap12Headers: version === "1.2" };
  const client = await soap.createClientAsync(
    url + (dialect === "gt4" ? "?wsdl=gt4" : "?wsdl"),
    options,
  );
  const service = Object.values(client.describe())[0];
  const suffix = version === "1.2" ? "Port12" : "Port";
  const name = Object.keys(service).find((port) => port.endsWith(suffix));
  const ports = client[Object.keys(client.describe())[0]];
  return { client, port: ports[name] };
}

function call(port, operation, argument) {
  return new Promise((resolve, reject) => {
    port[operation](argument, (error, result, raw) =>
      error ? reject(error) : resolve({ result, raw }),
    );
  });
}

// The key element as the reply wrote it: it declares its prefixes itself.
function keyOf(raw) {
  return /<(\w+):ServiceGroupEntryKey\b[^]*?<\/\1:ServiceGroupEntryKey>/.exec(raw)[0];
}

async function main(url, dialect, member, initial, renewed, version = "1.1") {
  const { sg, rp } = NAMES[dialect];
  const group = await load(url, dialect, version);
  const added = await call(group.port, "Add", {
    MemberEPR: { Address: member },
    Content: { $xml: CONTENT },
    InitialTerminationTime: initial,
  });
  const entry =
    dialect === "gt4" ? added.result : added.result.ServiceGroupEntryReference;
  const holder = entry.ReferenceProperties || entry.ReferenceParameters;

  const found = await call(group.port, "GetResourceProperty", {
    _xml: `<rp:GetResourceProperty xmlns:rp="${rp}" xmlns:sg="${sg}">sg:Entry</rp:GetResourceProperty>`,
  });
  const entries = [].concat(found.result.Entry);

  const { client, port } = await load(`${url}Entry`, dialect, version);
  client.setEndpoint(entry.Address);
  client.addSoapHeader(keyOf(added.raw));
  const time = await call(port, "SetTerminationTime", {
    RequestedTerminationTime: renewed,
  });
  console.log(
    JSON.stringify({
      entry: entry.Address,
      key: holder.ServiceGroupEntryKey.EntryKey,
      members: entries.map((item) => item.MemberServiceEPR.Address),
      renewed: time.result.NewTerminationTime,
    }),
  );
}

async function operations(url) {
  const services = (await soap.createClientAsync(url)).describe();
  const ports = Object.values(services).flatMap((service) => Object.values(service));
  const names = new Set(ports.flatMap((port) => Object.keys(port)));
  console.log(JSON.stringify([...names].sort()));
}

const run = process.argv.length > 3 ? main : operations;
run(...process.argv.slice(2)).catch((error) => {
  console.error(error.body || error);
  process.exitCode = 1;
});
