"use strict";
// Add a member, read the entries and renew the entry with strong-soap; print the answers as JSON.

const { soap } = require("strong-soap");

const AGG = "http://mds.globus.org/aggregator/types";
const INDEX = "http://mds.globus.org/index";
const SG = {
  gt4: "http://docs.oasis-open.org/wsrf/2004/06/wsrf-WS-ServiceGroup-1.2-draft-01.xsd",
  oasis: "http://docs.oasis-open.org/wsrf/sg-2",
};

// Elements that no schema declares go out without a prefix, under a default namespace; so do
// the QNames in their text.
const CONTENT = {
  AggregatorConfig: {
    $attributes: { xmlns: AGG },
    GetResourcePropertyPollType: {
      PollIntervalMillis: 60000,
      ResourcePropertyName: "RegistrationCount",
    },
  },
  AggregatorData: { $attributes: { xmlns: AGG } },
};

function load(wsdl) {
  return new Promise((resolve, reject) => {
    soap.createClient(wsdl, {}, (error, client) => (error ? reject(error) : resolve(client)));
  });
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

async function main(url, dialect, member, initial, renewed) {
  const query = dialect === "gt4" ? "?wsdl=gt4" : "?wsdl";
  const group = (await load(url + query)).AggregatorServiceGroupService;
  const added = await call(group.AggregatorServiceGroupPort, "Add", {
    MemberEPR: { Address: member },
    Content: CONTENT,
    InitialTerminationTime: initial,
  });
  const entry =
    dialect === "gt4" ? added.result : added.result.ServiceGroupEntryReference;
  const holder = entry.ReferenceProperties || entry.ReferenceParameters;

  const found = await call(group.AggregatorServiceGroupPort, "GetResourceProperty", {
    $attributes: { xmlns: SG[dialect] },
    $value: "Entry",
  });
  const entries = [].concat(found.result.Entry);

  const client = await load(`${url}Entry${query}`);
  client.setEndpoint(entry.Address);
  client.addSoapHeader(keyOf(added.raw));
  const { AggregatorServiceGroupEntryPort: port } = client.AggregatorServiceGroupEntryService;
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
  const services = Object.values((await load(url)).describe());
  const ports = services.flatMap((service) => Object.values(service));
  const names = new Set(ports.flatMap((port) => Object.keys(port)));
  console.log(JSON.stringify([...names].sort()));
}

const run = process.argv.length > 3 ? main : operations;
run(...process.argv.slice(2)).catch((error) => {
  console.error(error.body || error);
  process.exitCode = 1;
});
