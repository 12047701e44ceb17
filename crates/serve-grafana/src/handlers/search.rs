//! `/api/search`, `/api/folders`, `/api/dashboards/tags`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use front::Params;
use serde_json::{Value, json};

use crate::api::Api;
use crate::error::ApiError;

const LIMIT_DEFAULT: usize = 1000;
const LIMIT_MAX: usize = 5000;

/// A row of the result, before paging.
struct Hit {
    uid: String,
    title: String,
    tags: Vec<String>,
    folder_uid: String,
    folder_title: String,
}

pub async fn search(State(api): State<Api>, params: Params) -> Result<Json<Value>, ApiError> {
    let number =
        |name: &str, default: usize| params.get(name).and_then(|n| n.parse().ok()).unwrap_or(default);
    let (limit, page) = (number("limit", LIMIT_DEFAULT).min(LIMIT_MAX), number("page", 1).max(1));
    let query = params.get("query").unwrap_or("").to_lowercase();
    let tags: Vec<&str> = params.all("tag").collect();
    let folders: Vec<&str> = params.all("folderUIDs").chain(params.all("folderUid")).collect();
    let uids: Vec<&str> = params.all("dashboardUIDs").chain(params.all("dashboardUID")).collect();
    let kind = params.get("type").unwrap_or("");
    let mut rows = Vec::new();
    if kind != "dash-db" && tags.is_empty() && folders.is_empty() && uids.is_empty() {
        for (uid, title) in api.catalog.load().folders() {
            if title.to_lowercase().contains(&query) {
                rows.push(folder_row(uid, title));
            }
        }
    }
    if kind != "dash-folder" {
        let mut hits = all(&api).await?;
        hits.sort_by(|a, b| a.title.to_lowercase().cmp(&b.title.to_lowercase()).then(a.uid.cmp(&b.uid)));
        let wanted = |h: &&Hit| {
            h.title.to_lowercase().contains(&query)
                && tags.iter().all(|t| h.tags.iter().any(|own| own == t))
                && (folders.is_empty() || folders.contains(&h.folder_uid.as_str()))
                && (uids.is_empty() || uids.contains(&h.uid.as_str()))
        };
        rows.extend(hits.iter().filter(wanted).map(dashboard_row));
    }
    Ok(Json(rows.into_iter().skip((page - 1) * limit).take(limit).collect()))
}

fn folder_row(uid: &str, title: &str) -> Value {
    json!({
        "id": 0, "uid": uid, "orgId": 1, "title": title, "uri": format!("db/{uid}"),
        "url": format!("/dashboards/f/{uid}/{}", slug(title)), "slug": "", "type": "dash-folder",
        "tags": [], "isStarred": false, "sortMeta": 0, "isDeleted": false,
    })
}

fn dashboard_row(h: &Hit) -> Value {
    let slug = slug(&h.title);
    let mut row = json!({
        "id": 0, "uid": h.uid, "orgId": 1, "title": h.title, "uri": format!("db/{slug}"),
        "url": format!("/d/{}/{slug}", h.uid), "slug": "", "type": "dash-db", "tags": h.tags,
        "isStarred": false, "sortMeta": 0, "isDeleted": false,
    });
    if !h.folder_uid.is_empty() {
        row["folderUid"] = h.folder_uid.clone().into();
        row["folderTitle"] = h.folder_title.clone().into();
        row["folderUrl"] = format!("/dashboards/f/{}/{}", h.folder_uid, self::slug(&h.folder_title)).into();
    }
    row
}

/// Saved dashboards stand before provisioned ones of the same uid.
async fn all(api: &Api) -> Result<Vec<Hit>, ApiError> {
    let db = api.db.clone();
    let saved = api.pool.run(move || db.dashboards()).await??;
    let catalog = api.catalog.load();
    let folders = catalog.folders();
    let mut hits: BTreeMap<String, Hit> = BTreeMap::new();
    for d in catalog.dashboards.values() {
        let hit = Hit {
            uid: d.uid.clone(),
            title: d.title.clone(),
            tags: tags_of(&d.json),
            folder_uid: d.folder_uid.clone(),
            folder_title: d.folder.clone(),
        };
        hits.insert(d.uid.clone(), hit);
    }
    for d in saved {
        let json: Value = serde_json::from_str(&d.json).unwrap_or_default();
        let folder_title = folders.get(d.folder_uid.as_str()).copied().unwrap_or("").to_owned();
        let (uid, tags) = (d.uid.clone(), tags_of(&json));
        hits.insert(uid, Hit { uid: d.uid, title: d.title, tags, folder_uid: d.folder_uid, folder_title });
    }
    Ok(hits.into_values().collect())
}

fn tags_of(json: &Value) -> Vec<String> {
    let tags = json["tags"].as_array().into_iter().flatten();
    tags.filter_map(|t| t.as_str().map(str::to_owned)).collect()
}

pub async fn tags(State(api): State<Api>) -> Result<Json<Value>, ApiError> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for hit in all(&api).await? {
        for tag in hit.tags {
            *counts.entry(tag).or_default() += 1;
        }
    }
    Ok(Json(counts.into_iter().map(|(term, count)| json!({ "term": term, "count": count })).collect()))
}

pub async fn folders(State(api): State<Api>) -> Json<Value> {
    let catalog = api.catalog.load();
    let rows =
        catalog.folders().into_iter().map(|(uid, title)| json!({ "id": 0, "uid": uid, "title": title }));
    Json(rows.collect())
}

pub async fn folder(State(api): State<Api>, Path(uid): Path<String>) -> Result<Json<Value>, ApiError> {
    let catalog = api.catalog.load();
    let folders = catalog.folders();
    let title = folders.get(uid.as_str()).ok_or_else(|| ApiError::not_found("folder not found"))?;
    Ok(Json(json!({
        "id": 0, "uid": uid, "orgId": 1, "title": title, "url": format!("/dashboards/f/{uid}/{}", slug(title)),
        "hasAcl": false, "canSave": false, "canEdit": false, "canAdmin": false, "canDelete": false, "version": 1,
    })))
}

/// The readable part of a dashboard's address.
pub fn slug(title: &str) -> String {
    let mut out = String::new();
    for c in title.chars() {
        if c.is_alphanumeric() {
            out.extend(c.to_lowercase());
        } else if !out.ends_with('-') && !out.is_empty() {
            out.push('-');
        }
    }
    out.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    #[test]
    fn slugs() {
        assert_eq!(super::slug("System Overview"), "system-overview");
        assert_eq!(super::slug(" AI / Engine!"), "ai-engine");
    }
}
