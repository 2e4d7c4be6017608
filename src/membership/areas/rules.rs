//! Where an area may lie.

use super::model::Area;
use crate::error::{Code, Result};
use crate::types::id::AreaId;

/// So many areas lie in one another at most: country, region, province, city, district, street.
pub const DEEPEST: usize = 6;

/// May the area lie there? `areas` are all there are, with the area itself where it isn't new.
///
/// # Errors
/// `unknown_area`, `area_cycle`, `area_too_deep`
pub fn may_lie(areas: &[Area], id: AreaId, parent: Option<AreaId>) -> Result<()> {
    let mut above = 0;
    let mut next = parent;
    while let Some(at) = next {
        if at == id {
            return Err(Code::AreaCycle.error());
        }
        above += 1;
        if above >= DEEPEST {
            return Err(Code::AreaTooDeep.error());
        }
        let area = areas.iter().find(|area| area.id == at).ok_or(Code::UnknownArea)?;
        next = area.parent_id;
    }
    if above + levels(areas, id) > DEEPEST { Err(Code::AreaTooDeep.error()) } else { Ok(()) }
}

/// How many levels the area and what lies in it have; never more than one past what is allowed.
fn levels(areas: &[Area], id: AreaId) -> usize {
    let mut level = vec![id];
    let mut count = 0;
    while !level.is_empty() && count <= DEEPEST {
        count += 1;
        let inside = areas.iter().filter(|area| area.parent_id.is_some_and(|parent| level.contains(&parent)));
        level = inside.map(|area| area.id).collect();
    }
    count
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    /// A chain of so many areas, from the root down.
    fn chain(length: usize) -> Vec<Area> {
        let mut areas: Vec<Area> = Vec::new();
        for n in 0..length {
            areas.push(Area {
                id: AreaId::new(),
                code: format!("a{n}"),
                name_zh: String::new(),
                name_en: String::new(),
                parent_id: areas.last().map(|area| area.id),
                created_at: DateTime::default(),
                version: 1,
            });
        }
        areas
    }

    fn refused(areas: &[Area], id: AreaId, parent: Option<AreaId>) -> Code {
        may_lie(areas, id, parent).unwrap_err().code
    }

    #[test]
    fn an_area_lies_in_another_one_and_never_in_itself() {
        let areas = chain(3);
        assert!(may_lie(&areas, AreaId::new(), None).is_ok());
        assert!(may_lie(&areas, areas[2].id, Some(areas[0].id)).is_ok());
        assert!(may_lie(&areas, areas[1].id, None).is_ok());
        assert_eq!(refused(&areas, areas[0].id, Some(areas[0].id)), Code::AreaCycle);
        assert_eq!(refused(&areas, areas[0].id, Some(areas[2].id)), Code::AreaCycle);
        assert_eq!(refused(&areas, AreaId::new(), Some(AreaId::new())), Code::UnknownArea);
    }

    #[test]
    fn areas_are_six_deep_at_most() {
        let five = chain(DEEPEST - 1);
        assert!(may_lie(&five, AreaId::new(), five.last().map(|area| area.id)).is_ok());
        let six = chain(DEEPEST);
        assert_eq!(refused(&six, AreaId::new(), six.last().map(|area| area.id)), Code::AreaTooDeep);
        // What lies in it comes along.
        let mut two = chain(DEEPEST - 2);
        let below = chain(2);
        two.extend(below.clone());
        assert!(may_lie(&two, below[0].id, Some(two[DEEPEST - 3].id)).is_ok());
        let mut three = chain(DEEPEST - 2);
        let below = chain(3);
        three.extend(below.clone());
        assert_eq!(refused(&three, below[0].id, Some(three[DEEPEST - 3].id)), Code::AreaTooDeep);
    }
}
