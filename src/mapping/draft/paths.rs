//! The list of everything that the samples hold, for the comment in a draft. It shows names and shapes, never values.

use std::collections::HashMap;

use super::{
    data::Data,
    shape::Shape,
    spot::{is_data, is_plain_name, is_printable},
};

/// A longer list helps nobody.
const MAX_LINES: usize = 400;
const MAX_SHAPES: usize = 3;
const MAX_PATH_CHARS: usize = 200;
/// Longer paths do not move the column of shapes.
const MAX_WIDTH: usize = 50;

/// The paths of plain values, in the order in which they were first seen.
#[derive(Default)]
pub(super) struct Listing {
    lines: Vec<(String, Vec<Shape>)>,
    known: HashMap<String, usize>,
    left_out: usize,
}

impl Listing {
    pub(super) fn add(&mut self, tree: &Data) {
        self.walk(tree, "");
    }

    fn walk(&mut self, tree: &Data, path: &str) {
        match tree {
            Data::Object(object) if !object.is_empty() => {
                for (key, value) in object.iter() {
                    let dot = if path.is_empty() { "" } else { "." };
                    self.walk(value, &format!("{path}{dot}{}", shown(key)));
                }
            }
            Data::List(elements) if !elements.is_empty() => {
                let inner = format!("{path}[]");
                for element in elements {
                    self.walk(element, &inner);
                }
            }
            plain => self.put(path, Shape::of(plain)),
        }
    }

    fn put(&mut self, path: &str, shape: Shape) {
        if path.chars().count() > MAX_PATH_CHARS {
            self.left_out += 1;
        } else if let Some((_, shapes)) =
            self.known.get(path).and_then(|at| self.lines.get_mut(*at))
        {
            if !shapes.contains(&shape) {
                shapes.push(shape);
            }
        } else if self.lines.len() < MAX_LINES {
            self.known.insert(path.to_owned(), self.lines.len());
            self.lines.push((path.to_owned(), vec![shape]));
        } else {
            self.left_out += 1;
        }
    }

    /// A line for each path.
    pub(super) fn lines(&self) -> impl Iterator<Item = String> {
        let widths = self.lines.iter().map(|(path, _)| path.chars().count());
        let width = widths
            .filter(|width| *width <= MAX_WIDTH)
            .max()
            .unwrap_or_default();
        let lines = self.lines.iter().map(move |(path, shapes)| {
            let labels: Vec<&str> = shapes
                .iter()
                .take(MAX_SHAPES)
                .map(|shape| shape.label())
                .collect();
            let more = if shapes.len() > MAX_SHAPES {
                " and others"
            } else {
                ""
            };
            format!("  {path:width$}  {}{more}", labels.join(", "))
        });
        let rest = (self.left_out > 0).then(|| format!("  and {} more values", self.left_out));
        lines.chain(rest)
    }
}

/// A key as it is shown: `*` where it is itself a value, quoted where it is no plain name.
fn shown(key: &str) -> String {
    if is_data(key) {
        "*".to_owned()
    } else if is_plain_name(key) {
        key.to_owned()
    } else if is_printable(key) {
        format!("\"{}\"", key.replace('"', "\"\""))
    } else {
        format!("\"{}\"", key.escape_debug())
    }
}
