//! What speaks against passing.

/// What was found.
#[derive(Default)]
pub struct Findings {
    pub lost: i64,
    pub free: i64,
    pub doubled: i64,
    pub against: Vec<String>,
}

impl Findings {
    pub fn lost(&mut self, what: String) {
        self.lost += 1;
        self.against.push(what);
    }

    pub fn free(&mut self, what: String) {
        self.free += 1;
        self.against.push(what);
    }

    pub fn doubled(&mut self, what: String) {
        self.doubled += 1;
        self.against.push(what);
    }

    pub fn expect(&mut self, what: &str, found: i64, expected: i64) {
        if found != expected {
            self.against.push(format!("{what}: {found}, expected {expected}"));
        }
    }
}
