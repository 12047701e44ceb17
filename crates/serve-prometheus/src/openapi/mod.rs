//! `/api/v1/openapi.yaml`: a description of the API, written out of one table.

mod table;

use std::fmt::Write;

use table::{ENDPOINTS, Endpoint, PARAMETERS};

/// The whole document, OpenAPI 3.1.
pub fn document(version: &str) -> String {
    let mut out = format!(
        "openapi: 3.1.0\ninfo:\n  title: Prometheus API\n  description: The HTTP API of the metrics service.\n  \
         version: {version:?}\nservers:\n  - url: /api/v1\npaths:\n"
    );
    for endpoint in ENDPOINTS {
        path(endpoint, &mut out);
    }
    out.push_str(RESPONSES);
    out
}

fn path(endpoint: &Endpoint, out: &mut String) {
    // Writing to a string does not fail.
    let _ = writeln!(out, "  {}:", endpoint.path);
    for method in endpoint.methods.split(' ') {
        let id = operation_id(method, endpoint.path);
        let _ = writeln!(out, "    {}:", method.to_lowercase());
        let _ = writeln!(out, "      operationId: {id}\n      summary: {:?}", endpoint.summary);
        let mut names = endpoint.parameters.split(' ').filter(|n| !n.is_empty()).peekable();
        if names.peek().is_some() {
            out.push_str("      parameters:\n");
        }
        for name in names {
            let (name, required) = match name.strip_suffix('*') {
                Some(name) => (name, true),
                None => (name, false),
            };
            let in_path = endpoint.path.contains(&format!("{{{name}}}"));
            let place = if in_path { "path" } else { "query" };
            let _ = writeln!(out, "        - name: {name:?}\n          in: {place}");
            let _ = writeln!(out, "          required: {}", required || in_path);
            let known = PARAMETERS.iter().find(|p| p.0 == name);
            let (kind, text) = known.map_or(("string", ""), |p| (p.1, p.2));
            let _ = writeln!(out, "          description: {text:?}");
            match name.ends_with("[]") {
                true => {
                    let _ = writeln!(
                        out,
                        "          explode: true\n          schema: {{type: array, items: {{type: {kind}}}}}"
                    );
                }
                false => {
                    let _ = writeln!(out, "          schema: {{type: {kind}}}");
                }
            }
        }
        let _ = writeln!(
            out,
            "      responses:\n        \"{}\":\n          description: Success.\n          content:\n            \
             {}: {{schema: {{{}}}}}\n        default:\n          $ref: \"#/components/responses/Error\"",
            endpoint.status,
            endpoint.content,
            match endpoint.content {
                "application/json" => "$ref: \"#/components/schemas/Success\"",
                _ => "type: string",
            }
        );
    }
}

/// `getStatusConfig` out of `GET /status/config`.
fn operation_id(method: &str, path: &str) -> String {
    let mut out = method.to_lowercase();
    for word in path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty()) {
        let (first, rest) = word.split_at(1);
        out.push_str(&first.to_uppercase());
        out.push_str(rest);
    }
    out
}

const RESPONSES: &str = "\
components:
  responses:
    Error:
      description: The request was refused or failed.
      content:
        application/json: {schema: {$ref: \"#/components/schemas/Error\"}}
  schemas:
    Success:
      type: object
      required: [status, data]
      properties:
        status: {type: string, const: success}
        data: {}
        warnings: {type: array, items: {type: string}}
        infos: {type: array, items: {type: string}}
    Error:
      type: object
      required: [status, errorType, error]
      properties:
        status: {type: string, const: error}
        errorType:
          type: string
          enum: [bad_data, execution, timeout, canceled, internal, unavailable, not_found, not_acceptable]
        error: {type: string}
        data: {}
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_yaml_and_whole() {
        let text = document("1.2.3");
        let tree: serde_json::Value = config::parse_tree("openapi.yaml", &text).unwrap();
        assert_eq!(tree["paths"].as_object().unwrap().len(), ENDPOINTS.len());
        let range = &tree["paths"]["/query_range"]["get"];
        assert_eq!(range["operationId"], "getQueryRange");
        assert_eq!(range["parameters"][0]["required"], true);
        assert_eq!(tree["paths"]["/label/{name}/values"]["get"]["parameters"][0]["in"], "path");
        for endpoint in ENDPOINTS {
            for name in endpoint.parameters.split(' ').filter(|n| !n.is_empty()) {
                let name = name.trim_end_matches('*');
                assert!(PARAMETERS.iter().any(|p| p.0 == name), "{name} is not described");
            }
        }
    }
}
