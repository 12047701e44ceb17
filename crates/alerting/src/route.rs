//! The routing tree: which receiver an alert goes to, and how it is grouped on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use model::{Labels, Matcher};

use crate::matchers::{format_matchers, sort};

/// A route as configured: unset fields are inherited from the parent.
#[derive(Debug, Clone, Default)]
pub struct RouteSpec {
    pub receiver: Option<String>,
    pub matchers: Vec<Matcher>,
    /// Labels to group by; an empty list groups everything together.
    pub group_by: Option<BTreeSet<String>>,
    /// Group by all labels (`...`).
    pub group_by_all: bool,
    pub group_wait: Option<Duration>,
    pub group_interval: Option<Duration>,
    pub repeat_interval: Option<Duration>,
    pub mute_time_intervals: Vec<String>,
    pub active_time_intervals: Vec<String>,
    pub labels: BTreeMap<String, String>,
    pub continues: bool,
    pub routes: Vec<RouteSpec>,
}

/// The position of a route in its tree, depth first.
pub type RouteId = usize;

/// A route with everything it inherited.
#[derive(Debug, Clone)]
pub struct Route {
    pub id: RouteId,
    /// Matchers from the root down, `{}/{a="b"}`: part of every group key.
    pub key: String,
    pub receiver: String,
    pub matchers: Vec<Matcher>,
    pub group_by: BTreeSet<String>,
    pub group_by_all: bool,
    pub group_wait: Duration,
    pub group_interval: Duration,
    pub repeat_interval: Duration,
    pub mute_time_intervals: Vec<String>,
    pub active_time_intervals: Vec<String>,
    pub labels: BTreeMap<String, String>,
    continues: bool,
    children: Vec<RouteId>,
}

/// All routes; the root comes first.
#[derive(Debug, Clone)]
pub struct RouteTree {
    routes: Vec<Arc<Route>>,
}

const GROUP_WAIT: Duration = Duration::from_secs(30);
const GROUP_INTERVAL: Duration = Duration::from_secs(5 * 60);
const REPEAT_INTERVAL: Duration = Duration::from_secs(4 * 3600);

impl RouteTree {
    pub fn new(spec: &RouteSpec) -> RouteTree {
        let mut routes = Vec::new();
        add(spec, None, &mut routes);
        RouteTree { routes: routes.into_iter().map(Arc::new).collect() }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.routes.iter()
    }

    /// The routes an alert takes: the deepest matching ones, several where `continue` asks for it.
    pub fn matching(&self, labels: &Labels) -> Vec<&Arc<Route>> {
        let mut out = Vec::new();
        self.visit(0, labels, &mut out);
        out
    }

    fn visit<'a>(&'a self, id: RouteId, labels: &Labels, out: &mut Vec<&'a Arc<Route>>) {
        let Some(route) = self.routes.get(id).filter(|r| Matcher::all_match(&r.matchers, labels)) else {
            return;
        };
        let before = out.len();
        for child in &route.children {
            let had = out.len();
            self.visit(*child, labels, out);
            let matched = out.len() > had;
            if matched && !self.routes.get(*child).is_some_and(|c| c.continues) {
                break;
            }
        }
        if out.len() == before {
            out.push(route);
        }
    }
}

impl Route {
    /// Whether the search goes on with the next sibling after this route has matched.
    pub fn continues(&self) -> bool {
        self.continues
    }

    /// Its sub-routes, in order.
    pub fn children(&self) -> &[RouteId] {
        &self.children
    }

    /// The labels that name the group of an alert on this route.
    pub fn group_labels(&self, labels: &Labels) -> Labels {
        if self.group_by_all {
            return labels.clone();
        }
        labels.filter(|name| self.group_by.contains(name))
    }
}

fn add(spec: &RouteSpec, parent: Option<&Route>, out: &mut Vec<Route>) -> RouteId {
    let mut matchers = spec.matchers.clone();
    sort(&mut matchers);
    let own = format_matchers(&matchers);
    let mut labels = parent.map(|p| p.labels.clone()).unwrap_or_default();
    labels.extend(spec.labels.clone());
    let sets_grouping = spec.group_by.is_some() || spec.group_by_all;
    let id = out.len();
    let route = Route {
        id,
        key: parent.map_or(own.clone(), |p| format!("{}/{own}", p.key)),
        receiver: spec
            .receiver
            .clone()
            .filter(|name| !name.is_empty())
            .or_else(|| parent.map(|p| p.receiver.clone()))
            .unwrap_or_default(),
        matchers,
        group_by: match (&spec.group_by, parent) {
            (Some(names), _) => names.clone(),
            (None, Some(p)) if !sets_grouping => p.group_by.clone(),
            _ => BTreeSet::new(),
        },
        group_by_all: spec.group_by_all || (!sets_grouping && parent.is_some_and(|p| p.group_by_all)),
        group_wait: spec.group_wait.or(parent.map(|p| p.group_wait)).unwrap_or(GROUP_WAIT),
        group_interval: spec.group_interval.or(parent.map(|p| p.group_interval)).unwrap_or(GROUP_INTERVAL),
        repeat_interval: spec
            .repeat_interval
            .or(parent.map(|p| p.repeat_interval))
            .unwrap_or(REPEAT_INTERVAL),
        mute_time_intervals: spec.mute_time_intervals.clone(),
        active_time_intervals: spec.active_time_intervals.clone(),
        labels,
        continues: spec.continues,
        children: Vec::new(),
    };
    out.push(route.clone());
    let children = spec.routes.iter().map(|child| add(child, Some(&route), out)).collect();
    if let Some(slot) = out.get_mut(id) {
        slot.children = children;
    }
    id
}
