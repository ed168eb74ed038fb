// The API pages are Swagger UI, served from our own address: no script comes from anywhere else.
import { copyFileSync, mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

const from = new URL("../node_modules/swagger-ui-dist/", import.meta.url);
const to = new URL("../dist/api-docs/", import.meta.url);

mkdirSync(to, { recursive: true });
for (const name of ["swagger-ui-bundle.js", "swagger-ui.css"]) {
  copyFileSync(fileURLToPath(new URL(name, from)), fileURLToPath(new URL(name, to)));
}
