//! The font of invoices as PDF: found on the machine when the shop starts, read when one is drawn.

use std::path::{Path, PathBuf};

use ttf_parser::Face;

/// Fonts with Chinese and Latin characters, as Debian's packages call their files; the smallest first.
const KNOWN: [&str; 5] = [
    "wqy-microhei.ttc",
    "wqy-zenhei.ttc",
    "NotoSansSC-Regular.otf",
    "NotoSansCJKsc-Regular.otf",
    "NotoSansCJK-Regular.ttc",
];

/// Where systems keep fonts.
const FOLDERS: [&str; 3] = ["/usr/share/fonts", "/usr/local/share/fonts", "/Library/Fonts"];

/// How deep folders of fonts are nested.
const DEPTH: usize = 4;

/// What an invoice can't do without.
const NEEDED: &str = "Aa09¥%.,-账单编号（）";

/// A font that can draw invoices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PdfFont {
    path: PathBuf,
    /// Which face of a collection.
    face: u32,
}

impl PdfFont {
    /// The font that the setting names, or the first known one in the folder that it names, else in the system's.
    pub fn find(setting: Option<&Path>) -> Option<Self> {
        match setting {
            Some(path) if path.is_dir() => Self::in_folders(&[path.to_owned()]),
            Some(path) => Self::open(path),
            None => Self::in_folders(&FOLDERS.map(PathBuf::from)),
        }
    }

    fn in_folders(folders: &[PathBuf]) -> Option<Self> {
        let mut files = Vec::new();
        for folder in folders {
            collect(folder, DEPTH, &mut files);
        }
        KNOWN.iter().find_map(|name| {
            let named = files.iter().find(|file| file.file_name().is_some_and(|found| found == *name));
            named.and_then(|path| Self::open(path))
        })
    }

    /// The file's first face that can write what is needed; of a collection for several countries, China's.
    fn open(path: &Path) -> Option<Self> {
        let data = std::fs::read(path).ok()?;
        let count = ttf_parser::fonts_in_collection(&data).unwrap_or(1);
        let faces = || (0..count).filter(|face| is_fit(&data, *face));
        let chinese = faces().find(|face| is_called(&data, *face, " SC"));
        let face = chinese.or_else(|| faces().next())?;
        Some(Self { path: path.to_owned(), face })
    }

    /// The file's bytes and the face's place in it.
    ///
    /// # Errors
    /// When the file is gone.
    pub fn read(&self) -> std::io::Result<(Vec<u8>, u32)> {
        Ok((std::fs::read(&self.path)?, self.face))
    }
}

fn collect(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        match path.is_dir() {
            true if depth > 0 => collect(&path, depth - 1, files),
            true => {}
            false => files.push(path),
        }
    }
}

/// With outlines that can be cut down, and all the characters that no invoice is without.
fn is_fit(data: &[u8], face: u32) -> bool {
    let Ok(face) = Face::parse(data, face) else { return false };
    (face.tables().glyf.is_some() || face.tables().cff.is_some())
        && NEEDED.chars().all(|c| face.glyph_index(c).is_some())
}

fn is_called(data: &[u8], face: u32, part: &str) -> bool {
    Face::parse(data, face).is_ok_and(|face| {
        let mut names = face.names().into_iter().filter_map(|name| name.to_string());
        names.any(|name| name.contains(part))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_found_where_there_is_nothing() {
        assert_eq!(PdfFont::find(Some(Path::new("/nonexistent"))), None);
        assert_eq!(PdfFont::find(Some(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")))), None);
        assert_eq!(PdfFont::find(Some(Path::new(file!()))), None);
    }
}
