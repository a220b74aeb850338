// Connectors' fields as people see them. Which a kind has comes from GET /v1/connectors.

const KINDS = {
  postgresql: ["PostgreSQL", "Tables and views of your own database."],
  stripe: ["Stripe", "Subscriptions and customers, for revenue and MRR."],
  hubspot: ["HubSpot", "Contacts of your CRM, joined by e-mail."],
  webhook: ["Inbound webhook", "Events that your systems send to Harbor."],
  csv: ["CSV file", "A file with event, user_id and occurred_at."],
};

const OBJECTS = {
  stripe: ["customers", "subscriptions", "invoices", "charges"],
  hubspot: ["contacts", "companies", "deals"],
};

const SECRETS = ["password", "restricted_key", "authorization_code"];

const FIELDS = {
  host: { label: "Host", required: true, placeholder: "db.example.com" },
  port: { label: "Port", type: "number", min: 1, max: 65535, value: 5432 },
  database: { label: "Database", required: true },
  schema: { label: "Schema", value: "public" },
  username: { label: "User name", required: true, hint: "Best a user that may only read." },
  password: { label: "Password", type: "password", required: true },
  ssl_mode: { label: "TLS", options: [["require", "Require"], ["verify-full", "Verify fully"]] },
  restricted_key: { label: "Restricted key", type: "password", required: true,
    placeholder: "rk_live_…", hint: "Stripe > Developers > API keys; it only needs to read." },
  authorization_code: { label: "Authorisation code", type: "password", required: true,
    hint: "HubSpot > Settings > Integrations > Private apps." },
  backfill_months: { label: "Months to go back", type: "number", min: 1, max: 36, value: 12 },
};

export const kindName = (kind) => KINDS[kind]?.[0] ?? kind;
export const labelOf = (name) => FIELDS[name]?.label ?? name[0].toUpperCase() + name.slice(1);
export const kindText = (kind) => KINDS[kind]?.[1] ?? "";

export function fieldsOf(connector) {
  const names = connector.fields.filter((name) => name !== "name");
  return names.map((name) => {
    if (name === "objects") return { name, label: "Objects", wide: true,
      choices: OBJECTS[connector.kind] ?? [], value: OBJECTS[connector.kind] ?? [] };
    return { name, ...(FIELDS[name] ?? { label: name }) };
  });
}

export const secretsOf = (connector) =>
  fieldsOf(connector).filter((field) => SECRETS.includes(field.name));

// What was entered, as the API takes it: settings apart from credentials.
export function apart(values) {
  const config = {};
  const credentials = {};
  for (const [name, value] of Object.entries(values)) {
    if (name !== "name") (SECRETS.includes(name) ? credentials : config)[name] = value;
  }
  return { config, credentials };
}

// The checks in the order in which the API runs them; the first that fails is its answer.
export const CHECKS = {
  postgresql: [["HBR-101", "Host reachable"], ["HBR-102", "TLS accepted"],
    ["HBR-103", "Login accepted"], ["HBR-104", "Database and schema found"],
    ["HBR-105", "May read the tables"], ["HBR-106", "Cannot write"]],
  stripe: [["HBR-101", "Service reachable"], ["HBR-201", "Key valid"],
    ["HBR-202", "Key may read what is needed"], ["HBR-203", "Live mode"]],
  hubspot: [["HBR-101", "Service reachable"], ["HBR-211", "Authorisation valid"],
    ["HBR-212", "Scopes granted"]],
};

export const ONLY_TABLE = { stripe: "subscriptions", hubspot: "contacts" };
