//! A sheet as PDF: A4 pages, one font of which only the used glyphs are embedded, and text that can be searched and copied.
//!
//! The font is written as a CID-keyed one (ISO 32000-1, 9.7): a glyph's code is its place in the subset, and a ToUnicode map
//! tells which character it is.

use std::collections::BTreeMap;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use pdf_writer::types::{CidFontType, FontFlags, SystemInfo, UnicodeCmap};
use pdf_writer::{Content, Filter, Finish, Name, Pdf, Rect, Ref, Str, TextStr};
use subsetter::GlyphRemapper;
use ttf_parser::{Face, Tag};

use super::sheet::{Party, Sheet, Table};
use crate::error::{AppError, Result};

/// A4 in points.
const WIDTH: f32 = 595.28;
const HEIGHT: f32 = 841.89;
const MARGIN: f32 = 48.0;
/// Below this there is room for the page's number alone.
const FLOOR: f32 = 64.0;
const INNER: f32 = WIDTH - 2.0 * MARGIN;
/// Between the baselines of two lines, in sizes of the font.
const LEADING: f32 = 1.5;
/// Between columns.
const GAP: f32 = 8.0;

const BODY: f32 = 9.5;
const SMALL: f32 = 8.0;
const BLACK: f32 = 0.1;
const GRAY: f32 = 0.45;

/// Right edges follow from these shares of the width; the first column has the rest.
const ITEM_COLUMNS: [f32; 5] = [50.0, 70.0, 50.0, 65.0, 75.0];
const TAX_COLUMNS: [f32; 3] = [90.0, 90.0, 90.0];

/// Draws the sheet with a face of a font file.
///
/// # Errors
/// When the font can't be read or cut down.
pub fn draw(sheet: &Sheet, font: &[u8], face: u32) -> Result<Vec<u8>> {
    let mut press = Press::new(font, face)?;
    press.header(sheet);
    press.parties(sheet);
    press.table(&sheet.items, &ITEM_COLUMNS, BODY);
    press.sums(sheet);
    press.table(&sheet.taxes, &TAX_COLUMNS, SMALL);
    press.gap(SMALL);
    press.paragraph(sheet.note, SMALL, GRAY);
    press.finish(sheet)
}

/// Where a text stands.
#[derive(Clone, Copy)]
struct Place {
    x: f32,
    y: f32,
    size: f32,
    gray: f32,
}

/// Pages as they grow, and the glyphs that they use.
struct Press<'a> {
    data: &'a [u8],
    index: u32,
    face: Face<'a>,
    /// Points of one unit of the font, at size 1.
    unit: f32,
    glyphs: GlyphRemapper,
    /// By its code: its character and its width in thousandths of the size.
    used: BTreeMap<u16, (char, f32)>,
    pages: Vec<Content>,
    page: Content,
    /// The top of what is drawn next.
    y: f32,
}

impl<'a> Press<'a> {
    fn new(data: &'a [u8], index: u32) -> Result<Self> {
        let face = Face::parse(data, index).map_err(AppError::internal)?;
        Ok(Self {
            data,
            index,
            unit: 1.0 / f32::from(face.units_per_em().max(1)),
            face,
            glyphs: GlyphRemapper::new(),
            used: BTreeMap::new(),
            pages: Vec::new(),
            page: Content::new(),
            y: HEIGHT - MARGIN,
        })
    }

    fn header(&mut self, sheet: &Sheet) {
        let y = self.y - 20.0;
        self.text(sheet.title, Place { x: MARGIN, y, size: 20.0, gray: BLACK });
        self.right(&sheet.number, MARGIN + INNER, Place { x: 0.0, y, size: 12.0, gray: BLACK });
        self.rule(y - 8.0, 1.2);
        self.y = y - 24.0;
    }

    /// Seller and buyer on the left, number and dates on the right.
    fn parties(&mut self, sheet: &Sheet) {
        let (top, middle) = (self.y, MARGIN + INNER * 0.55);
        for party in [&sheet.seller, &sheet.buyer] {
            self.party(party, INNER * 0.5);
        }
        let below = self.y;
        self.y = top;
        for (label, value) in &sheet.facts {
            let place = Place { x: middle, y: self.y - SMALL, size: SMALL, gray: GRAY };
            self.text(label, place);
            let room = INNER * 0.45 - self.width(label, SMALL) - GAP;
            for line in self.wrap(value, SMALL, room) {
                let place = Place { y: self.y - SMALL, gray: BLACK, ..place };
                self.right(&line, MARGIN + INNER, place);
                self.y -= SMALL * LEADING;
            }
        }
        self.y = self.y.min(below) - GAP;
    }

    fn party(&mut self, party: &Party, room: f32) {
        self.line(party.label, SMALL, GRAY);
        for text in &party.lines {
            for line in self.wrap(text, BODY, room) {
                self.line(&line, BODY, BLACK);
            }
        }
        self.gap(SMALL);
    }

    /// A table whose columns after the first are aligned to the right. The head stands on each page that it reaches.
    fn table(&mut self, table: &Table, columns: &[f32], size: f32) {
        let first = INNER - columns.iter().sum::<f32>() - GAP;
        self.table_head(table, columns);
        for row in &table.rows {
            let Some((title, figures)) = row.split_first() else { continue };
            let lines = self.wrap(title, size, first);
            // A row stays on one page.
            if self.room_ends(lines.iter().map(|_| size * LEADING).sum()) {
                self.table_head(table, columns);
            }
            self.figures(figures.iter().map(String::as_str), columns, size, BLACK);
            for line in lines {
                self.line(&line, size, BLACK);
            }
            self.rule(self.y - 1.0, 0.3);
            self.gap(4.0);
        }
        self.gap(GAP);
    }

    fn table_head(&mut self, table: &Table, columns: &[f32]) {
        let Some((title, names)) = table.head.split_first() else { return };
        self.room_ends(SMALL * LEADING * 3.0);
        self.figures(names.iter().copied(), columns, SMALL, GRAY);
        self.line(title, SMALL, GRAY);
        self.rule(self.y - 1.0, 0.6);
        self.gap(4.0);
    }

    /// Cells of the line that is drawn next, each at the right end of its column.
    fn figures<'t>(&mut self, cells: impl Iterator<Item = &'t str>, columns: &[f32], size: f32, gray: f32) {
        let mut right = MARGIN + INNER - columns.iter().sum::<f32>();
        for (cell, column) in cells.zip(columns) {
            right += column;
            self.right(cell, right, Place { x: 0.0, y: self.y - size, size, gray });
        }
    }

    fn sums(&mut self, sheet: &Sheet) {
        let total = sheet.sums.len();
        for (index, (label, amount)) in sheet.sums.iter().chain(&sheet.means).enumerate() {
            let size = if index + 1 == total { 12.0 } else { BODY };
            self.room_ends(size * LEADING);
            let place = Place { x: 0.0, y: self.y - size, size, gray: BLACK };
            self.right(amount, MARGIN + INNER, place);
            self.right(label, MARGIN + INNER - 110.0, Place { gray: GRAY, ..place });
            self.y -= size * LEADING;
        }
        self.gap(GAP * 2.0);
    }

    fn paragraph(&mut self, text: &str, size: f32, gray: f32) {
        for line in self.wrap(text, size, INNER) {
            self.line(&line, size, gray);
        }
    }

    /// One line at the left margin, on a new page where this one is full.
    fn line(&mut self, text: &str, size: f32, gray: f32) {
        self.room_ends(size * LEADING);
        self.text(text, Place { x: MARGIN, y: self.y - size, size, gray });
        self.y -= size * LEADING;
    }

    fn gap(&mut self, height: f32) {
        self.y -= height;
    }

    /// Starts a new page where `height` doesn't fit on this one; true when it did.
    fn room_ends(&mut self, height: f32) -> bool {
        if self.y - height >= FLOOR {
            return false;
        }
        self.pages.push(std::mem::replace(&mut self.page, Content::new()));
        self.y = HEIGHT - MARGIN;
        true
    }

    fn rule(&mut self, y: f32, thickness: f32) {
        self.page.set_line_width(thickness).set_stroke_gray(GRAY);
        self.page.move_to(MARGIN, y).line_to(MARGIN + INNER, y).stroke();
    }

    fn right(&mut self, text: &str, edge: f32, place: Place) {
        let x = edge - self.width(text, place.size);
        self.text(text, Place { x, ..place });
    }

    fn text(&mut self, text: &str, place: Place) {
        let codes: Vec<u8> = text.chars().flat_map(|c| self.code(c).to_be_bytes()).collect();
        let page = &mut self.page;
        page.begin_text().set_font(Name(b"F1"), place.size).set_fill_gray(place.gray);
        page.set_text_matrix([1.0, 0.0, 0.0, 1.0, place.x, place.y]).show(Str(&codes)).end_text();
    }

    /// The code of a character's glyph in the subset; of one that the font doesn't have, that of the empty box.
    fn code(&mut self, c: char) -> u16 {
        let glyph = self.face.glyph_index(c).unwrap_or_default();
        let code = self.glyphs.remap(glyph.0);
        let width = self.advance(c) * 1_000.0;
        self.used.entry(code).or_insert((c, width));
        code
    }

    /// A character's width at size 1.
    fn advance(&self, c: char) -> f32 {
        let glyph = self.face.glyph_index(c).unwrap_or_default();
        f32::from(self.face.glyph_hor_advance(glyph).unwrap_or_default()) * self.unit
    }

    fn width(&self, text: &str, size: f32) -> f32 {
        text.chars().map(|c| self.advance(c)).sum::<f32>() * size
    }

    /// Breaks a text into lines of at most `room`: at blanks and around Chinese characters, and within a word that is
    /// longer than a line.
    fn wrap(&self, text: &str, size: f32, room: f32) -> Vec<String> {
        let mut lines = Vec::new();
        let mut line = String::new();
        for word in words(text) {
            if self.width(&line, size) + self.width(word.trim_end(), size) <= room {
                line.push_str(word);
                continue;
            }
            if !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            for c in word.chars() {
                if self.width(&line, size) + self.advance(c) * size > room && !line.is_empty() {
                    lines.push(std::mem::take(&mut line));
                }
                line.push(c);
            }
        }
        lines.push(line);
        lines.iter().map(|line| line.trim_end().to_owned()).collect()
    }

    fn finish(mut self, sheet: &Sheet) -> Result<Vec<u8>> {
        let last = std::mem::replace(&mut self.page, Content::new());
        self.pages.push(last);
        let pages = std::mem::take(&mut self.pages);
        let count = pages.len();
        let mut drawn = Vec::with_capacity(count);
        for (index, page) in pages.into_iter().enumerate() {
            self.page = page;
            let number = format!("{} / {count}", index + 1);
            self.right(&number, MARGIN + INNER, Place { x: 0.0, y: MARGIN - 8.0, size: SMALL, gray: GRAY });
            drawn.push(std::mem::replace(&mut self.page, Content::new()).finish().into_vec());
        }
        self.bind(sheet, &drawn)
    }

    /// Puts pages and font into one file.
    fn bind(&self, sheet: &Sheet, pages: &[Vec<u8>]) -> Result<Vec<u8>> {
        let mut refs = (1..).map(Ref::new);
        let mut next = || refs.next().ok_or_else(|| AppError::internal("a PDF of too many parts"));
        let (catalog, tree, info, font) = (next()?, next()?, next()?, next()?);
        let font_parts = FontRefs { font, cid: next()?, descriptor: next()?, file: next()?, map: next()? };
        let mut pdf = Pdf::new();
        pdf.catalog(catalog).pages(tree).lang(TextStr(sheet.lang));
        let title = format!("{} {}", sheet.title, sheet.number);
        let mut about = pdf.document_info(info);
        about.title(TextStr(&title)).producer(TextStr("kindred"));
        if let Some(seller) = sheet.seller.lines.first() {
            about.author(TextStr(seller));
        }
        about.finish();
        let mut kids = Vec::with_capacity(pages.len());
        for content in pages {
            let (page, stream) = (next()?, next()?);
            kids.push(page);
            let mut dictionary = pdf.page(page);
            dictionary.parent(tree).media_box(Rect::new(0.0, 0.0, WIDTH, HEIGHT)).contents(stream);
            dictionary.resources().fonts().pair(Name(b"F1"), font);
            dictionary.finish();
            pdf.stream(stream, &deflate(content)?).filter(Filter::FlateDecode);
        }
        let count = i32::try_from(kids.len()).map_err(AppError::internal)?;
        pdf.pages(tree).kids(kids).count(count);
        self.embed(&mut pdf, &font_parts)?;
        Ok(pdf.finish())
    }

    fn embed(&self, pdf: &mut Pdf, refs: &FontRefs) -> Result<()> {
        let subset = subsetter::subset(self.data, self.index, &self.glyphs).map_err(AppError::internal)?;
        let bare = ttf_parser::RawFace::parse(&subset, 0).map_err(AppError::internal)?;
        // Of outlines in CFF, PDF takes their table alone.
        let cff = bare.table(Tag::from_bytes(b"CFF "));
        // Six letters say that it is a subset (ISO 32000-1, 9.6.4).
        let name = b"KINDRD+Invoice";
        let system = || SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"Identity"), supplement: 0 };
        pdf.type0_font(refs.font)
            .base_font(Name(name))
            .encoding_predefined(Name(b"Identity-H"))
            .descendant_font(refs.cid)
            .to_unicode(refs.map);
        let mut cid = pdf.cid_font(refs.cid);
        cid.subtype(if cff.is_some() { CidFontType::Type0 } else { CidFontType::Type2 });
        cid.base_font(Name(name)).system_info(system()).font_descriptor(refs.descriptor).default_width(0.0);
        if cff.is_none() {
            cid.cid_to_gid_map_predefined(Name(b"Identity"));
        }
        let mut widths = cid.widths();
        for (code, (_, width)) in &self.used {
            widths.consecutive(*code, [*width]);
        }
        widths.finish();
        cid.finish();
        let scale = |value: i16| f32::from(value) * self.unit * 1_000.0;
        let bounds = self.face.global_bounding_box();
        let mut descriptor = pdf.font_descriptor(refs.descriptor);
        descriptor
            .name(Name(name))
            .flags(FontFlags::SYMBOLIC)
            .bbox(Rect::new(
                scale(bounds.x_min),
                scale(bounds.y_min),
                scale(bounds.x_max),
                scale(bounds.y_max),
            ))
            .italic_angle(0.0)
            .ascent(scale(self.face.ascender()))
            .descent(scale(self.face.descender()))
            .cap_height(scale(self.face.capital_height().unwrap_or(self.face.ascender())))
            .stem_v(80.0);
        if cff.is_some() {
            descriptor.font_file3(refs.file)
        } else {
            descriptor.font_file2(refs.file)
        };
        descriptor.finish();
        let data = deflate(cff.unwrap_or(&subset))?;
        let mut file = pdf.stream(refs.file, &data);
        file.filter(Filter::FlateDecode);
        if cff.is_some() {
            file.pair(Name(b"Subtype"), Name(b"CIDFontType0C"));
        }
        file.finish();
        let mut map = UnicodeCmap::new(Name(b"Invoice"), system());
        for (code, (c, _)) in self.used.iter().filter(|(code, _)| **code > 0) {
            map.pair(*code, *c);
        }
        pdf.stream(refs.map, &deflate(&map.finish())?).filter(Filter::FlateDecode);
        Ok(())
    }
}

/// The parts of an embedded font.
struct FontRefs {
    font: Ref,
    cid: Ref,
    descriptor: Ref,
    file: Ref,
    map: Ref,
}

fn deflate(data: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data).map_err(AppError::internal)?;
    encoder.finish().map_err(AppError::internal)
}

/// The parts of a text that stay on one line: a word with the blanks after it, or one Chinese character.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut start = 0;
    let mut before: Option<char> = None;
    for (at, c) in text.char_indices() {
        let breaks = before.is_some_and(|before| {
            (before.is_whitespace() && !c.is_whitespace()) || is_wide(before) || is_wide(c)
        });
        if breaks {
            words.extend(text.get(start..at));
            start = at;
        }
        before = Some(c);
    }
    words.extend(text.get(start..));
    words
}

/// Chinese, Japanese and Korean characters and their punctuation.
fn is_wide(c: char) -> bool {
    matches!(c, '\u{2e80}'..='\u{d7ff}' | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe4f}' | '\u{ff00}'..='\u{ffe6}'
        | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_blanks_and_around_chinese() {
        assert_eq!(words("the book box"), ["the ", "book ", "box"]);
        assert_eq!(words("书盒 2014 box"), ["书", "盒", " ", "2014 ", "box"]);
        assert_eq!(words(""), [""]);
    }
}
