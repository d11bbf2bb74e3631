// Zoho's own SDK for Node. It is told the address of the bench server as its data centre, and is given an access token,
// so that it asks no OAuth server. It downloads the fields of the module once and keeps them in the resource folder.
//
// Usage: node zoho_sdk.mjs walk|create COUNT GATEWAY_URL KEY FIELDS NODE_MODULES RESOURCES
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const PAGE_REACH = 10;
const PER_CREATE = 100;
const [job, count, url, key, fields, nodeModules, resources] = process.argv.slice(2);
const entry = createRequire(nodeModules + "/").resolve("@zohocrm/nodejs-sdk-8.0");
const SDK = await import(pathToFileURL(entry).href);

const now = () => Number(process.hrtime.bigint()) / 1e9;
const check = (id) => Number(id % 1000000n);

function refuse(response) {
  throw new Error(`status ${response?.getStatusCode()}: ${response?.getObject()?.constructor?.name}`);
}

async function walk() {
  const operations = new SDK.Record.RecordOperations("Leads");
  const { GetRecordsParam, ResponseWrapper } = SDK.Record;
  let n = 0, sum = 0, first = null, token = null, id = null;
  for (let page = 1, more = true; more; page++) {
    const parameters = new SDK.ParameterMap();
    await parameters.add(GetRecordsParam.FIELDS, fields);
    if (page <= PAGE_REACH) await parameters.add(GetRecordsParam.PAGE, page);
    else await parameters.add(GetRecordsParam.PAGE_TOKEN, token);
    const response = await operations.getRecords(parameters, new SDK.HeaderMap());
    const object = response?.getObject();
    if (!(object instanceof ResponseWrapper)) refuse(response);
    for (const lead of object.getData()) {
      first ??= now();
      n++;
      sum += lead.getKeyValue("Annual_Revenue");
      id = lead.getId();
    }
    more = object.getInfo().getMoreRecords();
    token = object.getInfo().getNextPageToken();
  }
  return { n, sum: sum + check(id), first };
}

function makeRecord(n) {
  const { Field, Record } = SDK.Record;
  const record = new Record();
  record.addFieldValue(Field.Leads.LAST_NAME, `Lead ${n}`);
  record.addFieldValue(Field.Leads.FIRST_NAME, "Bench");
  record.addFieldValue(Field.Leads.COMPANY, `Company ${n}`);
  record.addFieldValue(Field.Leads.EMAIL, `lead.${n}@example.com`);
  record.addFieldValue(Field.Leads.PHONE, `555-000-${n}`);
  record.addFieldValue(Field.Leads.WEBSITE, `https://www.example.com/${n}`);
  record.addFieldValue(Field.Leads.CITY, "Oslo");
  record.addFieldValue(Field.Leads.COUNTRY, "Norway");
  record.addFieldValue(Field.Leads.NO_OF_EMPLOYEES, n);
  record.addFieldValue(Field.Leads.ANNUAL_REVENUE, n * 1000);
  record.addFieldValue(Field.Leads.EMAIL_OPT_OUT, false);
  record.addFieldValue(Field.Leads.DESCRIPTION, "Comparing three suppliers, decides this quarter.");
  return record;
}

async function create() {
  const operations = new SDK.Record.RecordOperations("Leads");
  const { ActionWrapper, BodyWrapper, SuccessResponse } = SDK.Record;
  let n = 0, sum = 0;
  for (let from = 1; from <= Number(count); from += PER_CREATE) {
    const body = new BodyWrapper();
    body.setData(Array.from({ length: PER_CREATE }, (_, i) => makeRecord(from + i)));
    const response = await operations.createRecords(body, new SDK.HeaderMap());
    const object = response?.getObject();
    if (!(object instanceof ActionWrapper)) refuse(response);
    for (const item of object.getData()) {
      if (!(item instanceof SuccessResponse)) continue;
      n++;
      sum += check(BigInt(item.getDetails().get("id")));
    }
  }
  return { n, sum, first: null };
}

const start = now();
await (await new SDK.InitializeBuilder())
  .environment(new SDK.Environment(url, url + "/oauth/v2/token", url))
  .token(new SDK.OAuthBuilder().accessToken(key).findUser(false).build())
  .store(new SDK.FileStore(resources + "/tokens.txt"))
  .logger(new SDK.LogBuilder().level(SDK.Levels.OFF).filePath(null).build())
  .resourcePath(resources)
  .initialize();
const { n, sum, first } = job === "walk" ? await walk() : await create();
console.log(JSON.stringify({ records: n, sum, start, first, end: now() }));
