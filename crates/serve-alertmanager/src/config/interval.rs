//! `time_intervals`: named spans of time that mute routes or keep them active.

use ::config::Fault;
use alerting::{IntervalSpec, TimeInterval};
use serde::Deserialize;

use super::or_default;

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NamedInterval {
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    #[serde(deserialize_with = "or_default")]
    pub time_intervals: Vec<Interval>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Interval {
    pub times: Option<Vec<Times>>,
    pub weekdays: Option<Vec<String>>,
    pub days_of_month: Option<Vec<String>>,
    pub months: Option<Vec<String>>,
    pub years: Option<Vec<String>>,
    pub location: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Times {
    #[serde(deserialize_with = "or_default")]
    pub start_time: String,
    #[serde(deserialize_with = "or_default")]
    pub end_time: String,
}

impl NamedInterval {
    /// `section` is the key of the list it stands in.
    pub(super) fn validate(&self, section: &str) -> Result<(), Fault> {
        self.compile()?;
        if self.name.is_empty() {
            let kind = if section == "time_intervals" { "time" } else { "mute time" };
            return Err(Fault::new(format!("missing name in {kind} interval")).under("name"));
        }
        Ok(())
    }

    pub(super) fn compile(&self) -> Result<Vec<TimeInterval>, Fault> {
        let compiled = self.time_intervals.iter().enumerate();
        compiled.map(|(i, it)| it.compile().map_err(|f| f.at(i).under("time_intervals"))).collect()
    }
}

impl Interval {
    fn compile(&self) -> Result<TimeInterval, Fault> {
        // Each field alone first: the fault is then that field's.
        for (key, alone) in self.fields() {
            for (i, spec) in alone.into_iter().enumerate() {
                TimeInterval::new(&spec).map_err(|e| Fault::new(e).at(i).under(key))?;
            }
        }
        let location =
            IntervalSpec { location: self.location.clone().unwrap_or_default(), ..Default::default() };
        TimeInterval::new(&location).map_err(|e| Fault::new(e).under("location"))?;
        TimeInterval::new(&self.spec()).map_err(Fault::new)
    }

    fn spec(&self) -> IntervalSpec {
        let times = self.times.iter().flatten();
        IntervalSpec {
            times: times.map(|t| (t.start_time.clone(), t.end_time.clone())).collect(),
            weekdays: self.weekdays.clone().unwrap_or_default(),
            days_of_month: self.days_of_month.clone().unwrap_or_default(),
            months: self.months.clone().unwrap_or_default(),
            years: self.years.clone().unwrap_or_default(),
            location: self.location.clone().unwrap_or_default(),
        }
    }

    /// Every element of every list as an interval of its own, by key.
    fn fields(&self) -> [(&'static str, Vec<IntervalSpec>); 5] {
        let whole = self.spec();
        let each = |list: &[String], put: fn(&mut IntervalSpec, String)| {
            let alone = |text: &String| {
                let mut spec = IntervalSpec::default();
                put(&mut spec, text.clone());
                spec
            };
            list.iter().map(alone).collect::<Vec<_>>()
        };
        let times = whole.times.iter().map(|t| IntervalSpec { times: vec![t.clone()], ..Default::default() });
        [
            ("times", times.collect()),
            ("weekdays", each(&whole.weekdays, |s, text| s.weekdays.push(text))),
            ("days_of_month", each(&whole.days_of_month, |s, text| s.days_of_month.push(text))),
            ("months", each(&whole.months, |s, text| s.months.push(text))),
            ("years", each(&whole.years, |s, text| s.years.push(text))),
        ]
    }
}
