//! The stages that a line goes through, compiled from the configuration.
//!
//! Each source has a pipeline of its own, so a stage that joins lines never mixes sources. Such a stage
//! *holds* lines: the pipeline says from where on, and the source's position stays before that.

mod change;
mod containers;
mod custom_metrics;
mod filter;
mod json_path;
mod labels;
mod multiline;
mod parse;
mod template_stage;
mod timestamp;

use std::sync::Arc;
use std::time::Instant;

use crate::config::StageConfig;
use crate::entry::Entry;
use crate::metrics::Metrics;

pub(crate) use custom_metrics::CustomMetrics;
pub(crate) use timestamp::now_ns;

/// What stages may use beside the entry.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub now: Instant,
    pub metrics: &'a Metrics,
}

/// The compiled stages of one source.
#[derive(Default)]
pub(crate) struct Pipeline {
    stages: Vec<Stage>,
}

/// A stage that changes one entry or drops it.
trait Transform: Send {
    /// False drops the entry.
    fn apply(&mut self, entry: &mut Entry, context: &Context<'_>) -> bool;
}

enum Stage {
    Transform(Box<dyn Transform>),
    Cri(containers::Cri),
    Multiline(Box<multiline::Multiline>),
    Match(Box<filter::Match>),
}

impl Pipeline {
    /// Whether the stages make sense.
    pub fn check(stages: &[StageConfig]) -> Result<(), String> {
        Pipeline::compile(stages, &Arc::default()).map(|_| ())
    }

    pub fn compile(stages: &[StageConfig], custom: &Arc<CustomMetrics>) -> Result<Pipeline, String> {
        let compiled = stages.iter().map(|stage| compile(stage, custom)).collect::<Result<Vec<_>, _>>()?;
        Ok(Pipeline { stages: compiled.into_iter().flatten().collect() })
    }

    /// Runs an entry through; what comes out is appended to `out`.
    pub fn process(&mut self, entry: Entry, context: &Context<'_>, out: &mut Vec<Entry>) {
        run(&mut self.stages, entry, context, out);
    }

    /// Lets go what has been held long enough, or everything.
    pub fn release(&mut self, all: bool, context: &Context<'_>, out: &mut Vec<Entry>) {
        for at in 0..self.stages.len() {
            let (before, rest) = self.stages.split_at_mut(at + 1);
            let Some(stage) = before.last_mut() else { continue };
            let mut released = Vec::new();
            match stage {
                Stage::Multiline(multiline) => released.extend(multiline.release(all, context.now)),
                Stage::Match(stage) => stage.pipeline.release(all, context, &mut released),
                Stage::Cri(cri) if all => released.extend(cri.release()),
                Stage::Transform(_) | Stage::Cri(_) => {}
            }
            released.into_iter().for_each(|entry| run(rest, entry, context, out));
        }
    }

    /// When [`Pipeline::release`] has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        let deadlines = self.stages.iter().filter_map(|stage| match stage {
            Stage::Multiline(multiline) => multiline.deadline(),
            Stage::Match(stage) => stage.pipeline.deadline(),
            Stage::Transform(_) | Stage::Cri(_) => None,
        });
        deadlines.min()
    }

    /// Where the first line that is held began.
    pub fn held(&self) -> Option<u64> {
        let held = self.stages.iter().filter_map(|stage| match stage {
            Stage::Multiline(multiline) => multiline.held(),
            Stage::Cri(cri) => cri.held(),
            Stage::Match(stage) => stage.pipeline.held(),
            Stage::Transform(_) => None,
        });
        held.min()
    }
}

fn run(mut stages: &mut [Stage], mut entry: Entry, context: &Context<'_>, out: &mut Vec<Entry>) {
    while let Some((stage, rest)) = stages.split_first_mut() {
        let passed = match stage {
            Stage::Transform(stage) => stage.apply(&mut entry, context).then_some(entry),
            Stage::Cri(cri) => cri.apply(entry),
            Stage::Multiline(multiline) => multiline.apply(entry, context.now),
            Stage::Match(stage) => {
                let mut passed = Vec::new();
                stage.apply(entry, context, &mut passed);
                passed.into_iter().for_each(|entry| run(rest, entry, context, out));
                return;
            }
        };
        match passed {
            Some(passed) => entry = passed,
            None => return,
        }
        stages = rest;
    }
    out.push(entry);
}

fn compile(stage: &StageConfig, custom: &Arc<CustomMetrics>) -> Result<Vec<Stage>, String> {
    fn one(stage: impl Transform + 'static) -> Result<Vec<Stage>, String> {
        Ok(vec![Stage::Transform(Box::new(stage))])
    }
    let named = |name: &'static str| move |e: String| format!("invalid {name} stage config: {e}");
    match stage {
        StageConfig::Docker(_) => one(containers::Docker),
        StageConfig::Cri(config) => {
            Ok(vec![Stage::Cri(containers::Cri::new(config.clone().unwrap_or_default()))])
        }
        StageConfig::Json(config) => one(parse::Json::new(config).map_err(named("json"))?),
        StageConfig::Logfmt(config) => one(parse::Logfmt::new(config).map_err(named("logfmt"))?),
        StageConfig::Regex(config) => one(parse::Regex::new(config).map_err(named("regex"))?),
        StageConfig::Replace(config) => one(change::Replace::new(config).map_err(named("replace"))?),
        StageConfig::Template(config) => {
            one(template_stage::TemplateStage::new(config).map_err(named("template"))?)
        }
        StageConfig::Timestamp(config) => {
            one(timestamp::TimestampStage::new(config).map_err(named("timestamp"))?)
        }
        StageConfig::Output(config) => one(change::Output(config.source.clone())),
        StageConfig::Labels(labels) => one(labels::SetLabels::new(labels).map_err(named("label"))?),
        StageConfig::Labeldrop(names) => one(labels::LabelDrop(names.clone())),
        StageConfig::Labelallow(names) => one(labels::LabelAllow(names.clone())),
        StageConfig::StaticLabels(labels) => one(labels::StaticLabels::new(labels)),
        StageConfig::StructuredMetadata(names) | StageConfig::NonIndexedLabels(names) => {
            one(labels::StructuredMetadata::new(names).map_err(named("structured_metadata"))?)
        }
        StageConfig::Match(config) => {
            Ok(vec![Stage::Match(Box::new(filter::Match::new(config, custom).map_err(named("match"))?))])
        }
        StageConfig::Drop(config) => one(filter::Drop::new(config).map_err(named("drop"))?),
        StageConfig::Multiline(config) => {
            let multiline = multiline::Multiline::new(config).map_err(named("multiline"))?;
            Ok(vec![Stage::Multiline(Box::new(multiline))])
        }
        StageConfig::Tenant(config) => one(change::Tenant::new(config).map_err(named("tenant"))?),
        StageConfig::Limit(config) => one(filter::Limit::new(config).map_err(named("limit"))?),
        StageConfig::Pack(config) => one(change::Pack::new(config)),
        StageConfig::Decolorize(_) => one(change::Decolorize),
        StageConfig::Sampling(config) => one(filter::Sampling::new(config).map_err(named("sampling"))?),
        StageConfig::Metrics(metrics) => {
            one(custom_metrics::MetricsStage::new(metrics, custom).map_err(named("metrics"))?)
        }
        StageConfig::Geoip(_) => Err("the stage geoip is not supported".into()),
        StageConfig::Eventlogmessage(_) => Err("the stage eventlogmessage is not supported".into()),
        StageConfig::Pipeline(_) => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod tests;
