//! Remarks that travel with a result: warnings and infos, each told once.

/// Where in the query a remark belongs: a byte offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Place(pub usize);

/// Remarks in the order they came up, without repetitions.
#[derive(Debug, Clone, Default)]
pub struct Annotations {
    warnings: Vec<(Place, String)>,
    infos: Vec<(Place, String)>,
}

/// Distinct remarks kept of each kind; what comes later is not remembered.
const MAX_REMARKS: usize = 1000;

impl Annotations {
    pub fn warn(&mut self, place: Place, text: String) {
        add(&mut self.warnings, place, text);
    }

    pub fn info(&mut self, place: Place, text: String) {
        add(&mut self.infos, place, text);
    }

    pub fn warnings(&self) -> &[(Place, String)] {
        &self.warnings
    }

    pub fn infos(&self) -> &[(Place, String)] {
        &self.infos
    }
}

fn add(remarks: &mut Vec<(Place, String)>, place: Place, text: String) {
    let known = remarks.iter().any(|(p, t)| *p == place && *t == text);
    if !known && remarks.len() < MAX_REMARKS {
        remarks.push((place, text));
    }
}
