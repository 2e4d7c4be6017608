//! The report as pictures: SVG by hand, without scripts, in colours that follow the reader's (light or dark).

use std::fmt::Write as _;

use super::Report;
use super::figures::{Compared, Goal, readable};
use crate::dev::rehearse::report::Latency;

const WIDTH: f64 = 760.0;
/// From the left edge to where bars begin.
const NAMES: f64 = 230.0;
/// From the longest bar's end to the right edge.
const VALUES: f64 = 110.0;
const ROW: f64 = 26.0;
const TOP: f64 = 56.0;
/// Where the scale of latencies begins.
const SHORTEST_MS: f64 = 0.1;

const STYLE: &str = "<style>
  :root { --paper: #fff; --ink: #1f2328; --faint: #59636e; --good: #1a7f37; --bad: #bc4c00; --other: #0969da; }
  @media (prefers-color-scheme: dark) {
    :root { --paper: #0d1117; --ink: #f0f6fc; --faint: #9198a1; --good: #3fb950; --bad: #f0883e; --other: #58a6ff; }
  }
  rect.paper { fill: var(--paper); } text { fill: var(--ink); font: 13px system-ui, sans-serif; }
  text.title { font-weight: 600; font-size: 15px; } text.faint { fill: var(--faint); }
  .good { fill: var(--good); } .bad { fill: var(--bad); } .other { fill: var(--other); }
  line { stroke: var(--ink); stroke-dasharray: 4 3; }
</style>";

/// Name and text of each picture.
pub fn all(report: &Report) -> [(&'static str, String); 2] {
    [("ratios.svg", ratios(&report.rounds)), ("latency.svg", latencies(report))]
}

/// A bar: how long it is, from 0 to 1, and what stands beside it.
struct Bar {
    name: String,
    length: f64,
    value: String,
    class: &'static str,
}

/// How near each ratio is to its goal, which is one line for all.
fn ratios(rounds: &[Compared]) -> String {
    /// Twice the goal is as long as a bar gets.
    const MOST: f64 = 2.0;
    let bars = rounds.iter().map(|compared| {
        let ratio = compared.ratio().median;
        let (reached, sign, goal) = match compared.goal {
            Goal::AtLeast(goal) => (ratio / goal, "≥", goal),
            Goal::AtMost(goal) => (goal / ratio.max(f64::MIN_POSITIVE), "≤", goal),
        };
        Bar {
            name: compared.name.to_owned(),
            length: (reached / MOST).clamp(0.0, 1.0),
            value: format!("{} ({sign} {goal})", readable(ratio)),
            class: if compared.goal.is_reached_by(ratio) { "good" } else { "bad" },
        }
    });
    let line = NAMES + (WIDTH - NAMES - VALUES) / MOST;
    picture(
        "Ratios, and the goal of each",
        "the line is the goal; longer is better",
        bars.collect(),
        Some(line),
    )
}

/// On a scale of powers of ten, since what is refused is answered so much sooner.
fn latencies(report: &Report) -> String {
    let loads = [
        ("80 % of the top rate", "good", report.latency_ms),
        ("three times it: accepted", "other", report.overload.accepted_ms),
        ("three times it: refused", "bad", report.overload.refused_ms),
    ];
    let most = loads.iter().map(|(_, _, latency)| latency.max).fold(1.0, f64::max);
    let mut bars = Vec::new();
    for (load, class, Latency { p50, p90, p99, max }) in loads {
        for (part, ms) in [("p50", p50), ("p90", p90), ("p99", p99), ("max", max)] {
            let length = (ms / SHORTEST_MS).max(1.0).log10() / (most / SHORTEST_MS).log10();
            bars.push(Bar { name: format!("{load}, {part}"), length, value: format!("{ms} ms"), class });
        }
    }
    picture("Latency of placing an order", "logarithmic; in an open loop", bars, None)
}

fn picture(title: &str, note: &str, bars: Vec<Bar>, line: Option<f64>) -> String {
    let rows: f64 = bars.iter().map(|_| ROW).sum();
    let height = TOP + rows + 16.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\n<title>{title}</title>\n\
         {STYLE}\n<rect class=\"paper\" width=\"{WIDTH}\" height=\"{height}\"/>\n\
         <text class=\"title\" x=\"16\" y=\"24\">{title}</text>\n<text class=\"faint\" x=\"16\" y=\"43\">{note}</text>\n"
    );
    let mut y = TOP;
    for bar in bars {
        let (name, value) = (escaped(&bar.name), escaped(&bar.value));
        let (middle, thick) = (y + ROW / 2.0 + 4.0, ROW - 8.0);
        let length = bar.length * (WIDTH - NAMES - VALUES);
        let (top, end) = (y + 4.0, NAMES + length + 8.0);
        // Writing into a String can't fail.
        let _ = writeln!(
            svg,
            "<text x=\"16\" y=\"{middle}\">{name}</text><rect class=\"{}\" x=\"{NAMES}\" y=\"{top}\" width=\"{length:.1}\" \
             height=\"{thick}\" rx=\"2\"/><text x=\"{end:.1}\" y=\"{middle}\">{value}</text>",
            bar.class
        );
        y += ROW;
    }
    if let Some(x) = line {
        let _ = writeln!(svg, "<line x1=\"{x}\" x2=\"{x}\" y1=\"{TOP}\" y2=\"{y}\"/>");
    }
    svg.push_str("</svg>\n");
    svg
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::super::figures::Round;
    use super::super::machine::Cores;
    use super::*;

    /// Width of each bar with this class, as the picture has it.
    fn widths(svg: &str, class: &str) -> Vec<f64> {
        let document = roxmltree::Document::parse(svg).unwrap();
        let bars = document.descendants().filter(|node| node.attribute("class") == Some(class));
        bars.map(|bar| bar.attribute("width").unwrap().parse().unwrap()).collect()
    }

    fn compared(name: &'static str, goal: Goal, ours: f64) -> Compared {
        let rounds = vec![Round { ours, limit: 100.0, cores: Cores::default() }];
        Compared { name, of: "x", goal, rounds }
    }

    #[test]
    fn a_ratio_is_as_long_as_it_is_near_its_goal() {
        let svg = ratios(&[
            compared("place_hot", Goal::AtLeast(0.5), 50.0),
            compared("place_single", Goal::AtLeast(0.5), 25.0),
            compared("p99_over_p50", Goal::AtMost(6.0), 300.0),
            compared("rush_gain", Goal::AtLeast(8.0), 1e6),
        ]);
        assert_eq!(widths(&svg, "good"), [210.0, 420.0, 420.0]);
        assert_eq!(widths(&svg, "bad"), [105.0]);
        for said in ["place_hot", "0.50 (≥ 0.5)", "3.00 (≤ 6)"] {
            assert!(svg.contains(said), "{said}");
        }
        assert!(svg.contains("x1=\"440\"") && !svg.contains("<script"));
    }

    #[test]
    fn what_could_be_markup_is_text() {
        let bar = Bar { name: "<a & b>".to_owned(), length: 0.5, value: "1 < 2".to_owned(), class: "other" };
        let svg = picture("t", "n", vec![bar], None);
        let document = roxmltree::Document::parse(&svg).unwrap();
        let texts: Vec<_> = document.descendants().filter_map(|node| node.text()).collect();
        assert!(texts.contains(&"<a & b>") && texts.contains(&"1 < 2"), "{texts:?}");
    }
}
