//! XML into the same tree.
//!
//! Names lose their prefix. An element is the object of its children; those of one name are a list, and one that has
//! no sibling of its name counts as itself and as the list of it alone. An element without children is its text,
//! with its attributes inside (`@name`); beside children, attributes are `@name` and text that is not blank is
//! `#text`. An element with `xsi:nil="true"` is null, and an empty one an empty text.
//!
//! A document type is refused, so that there are no entities but the five that XML itself has; nothing is ever
//! expanded or fetched. Depth, elements and attributes are limited. What well-formed XML may not have and does no
//! harm, such as an odd name, is not looked for.

use std::{borrow::Cow, collections::HashMap};

use quick_xml::{
    Error, Reader, XmlVersion,
    escape::resolve_xml_entity,
    events::{BytesRef, BytesStart, Event, attributes::Attribute},
};

use super::{Layered, Object, Parts, TEXT_KEY, Tree, Unreadable};
use crate::mapping::limits::{EVENT_DEPTH, XML_ATTRIBUTES};

const TOO_EARLY: &str = "the XML ends too early";
const OUTSIDE: &str = "text outside the root element";
const BAD_REFERENCE: &str =
    "a reference other than `&amp;`, `&lt;`, `&gt;`, `&quot;`, `&apos;` and those to characters";

/// Reads one document: an object with the root element.
pub(in crate::mapping) fn read_xml(text: &str) -> Result<Tree<'_>, Unreadable> {
    let mut document = Document {
        parts: Parts::new(),
        open: Vec::new(),
        root: None,
    };
    let mut reader = Reader::from_str(text);
    loop {
        let at = reader.buffer_position();
        let read = match reader.read_event() {
            Ok(event) => document.event(event).map_err(|what| (at, what)),
            Err(error) => Err((reader.error_position(), what(&error))),
        };
        match read {
            Ok(Next::More) => {}
            Ok(Next::Done(tree)) => return Ok(tree),
            Err((at, what)) => {
                let at = usize::try_from(at).unwrap_or(usize::MAX);
                return Err(Unreadable::new(text, at, what));
            }
        }
    }
}

/// What the declaration in front of a document says of its bytes.
pub(in crate::mapping) fn declared_encoding(body: &[u8]) -> Option<&str> {
    const LONGEST: usize = 200;
    let declaration = body.trim_ascii_start().strip_prefix(b"<?xml")?;
    let declaration = declaration.get(..LONGEST).unwrap_or(declaration);
    let end = declaration.iter().position(|byte| *byte == b'>')?;
    let declaration = std::str::from_utf8(declaration.get(..end)?).ok()?;
    let (_, after) = declaration.split_once("encoding")?;
    let value = after.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let (label, _) = value.strip_prefix(quote)?.split_once(quote)?;
    Some(label)
}

enum Next<'a> {
    More,
    Done(Tree<'a>),
}

type Read<T> = Result<T, &'static str>;

struct Document<'a> {
    parts: Parts,
    /// From the root to the element that is being read.
    open: Vec<Element<'a>>,
    root: Option<(String, Tree<'a>)>,
}

struct Element<'a> {
    name: String,
    is_nil: bool,
    attributes: Vec<(Cow<'a, str>, Tree<'a>)>,
    children: Vec<(String, Tree<'a>)>,
    text: Cow<'a, str>,
}

impl<'a> Document<'a> {
    fn event(&mut self, event: Event<'a>) -> Read<Next<'a>> {
        match event {
            Event::Start(start) => self.start(&start)?,
            Event::Empty(start) => {
                self.start(&start)?;
                self.end();
            }
            Event::End(_) => self.end(),
            Event::Text(text) => self.text(text.xml10_content().map_err(|_| "not UTF-8")?)?,
            Event::CData(text) => self.text(text.xml10_content().map_err(|_| "not UTF-8")?)?,
            Event::GeneralRef(reference) => self.text(resolved(&reference)?)?,
            Event::DocType(_) => return Err("a document type (`<!DOCTYPE`), which is not read"),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof if !self.open.is_empty() => return Err(TOO_EARLY),
            Event::Eof => {
                let (name, root) = self.root.take().ok_or("no element")?;
                let root = Tree::Sole(Box::new(root));
                let entries = vec![(Cow::Owned(name), root)];
                return Ok(Next::Done(Tree::Object(Object::new(entries))));
            }
        }
        Ok(Next::More)
    }

    fn start(&mut self, start: &BytesStart<'a>) -> Read<()> {
        if self.open.is_empty() && self.root.is_some() {
            return Err("a second root element");
        }
        if self.open.len() == EVENT_DEPTH {
            return Err("nested deeper than 64 levels");
        }
        self.parts.take()?;
        let name = name(start.local_name().into_inner())?;
        let mut element = Element {
            name,
            is_nil: false,
            attributes: Vec::new(),
            children: Vec::new(),
            text: Cow::Borrowed(""),
        };
        // Each is compared with all before it, here and not in the reader, since their number is limited here.
        for (index, attribute) in start.attributes().with_checks(false).enumerate() {
            if index == XML_ATTRIBUTES {
                return Err("an element with more than 250 attributes");
            }
            self.parts.take()?;
            let attribute = attribute.map_err(|_| "an attribute that is not `name=\"value\"`")?;
            element.attribute(&attribute)?;
        }
        self.open.push(element);
        Ok(())
    }

    /// The reader has checked that an element ends where it may.
    fn end(&mut self) {
        let Some(mut element) = self.open.pop() else {
            return;
        };
        let name = std::mem::take(&mut element.name);
        match self.open.last_mut() {
            Some(parent) => parent.children.push((name, element.into_tree())),
            None => self.root = Some((name, element.into_tree())),
        }
    }

    fn text(&mut self, more: Cow<'a, str>) -> Read<()> {
        match self.open.last_mut() {
            Some(element) if element.text.is_empty() => element.text = more,
            Some(element) => element.text.to_mut().push_str(&more),
            None if is_blank(&more) => {}
            None => return Err(OUTSIDE),
        }
        Ok(())
    }
}

impl<'a> Element<'a> {
    fn attribute(&mut self, attribute: &Attribute<'_>) -> Read<()> {
        if attribute.key.as_namespace_binding().is_some() {
            return Ok(());
        }
        let value = attribute
            .normalized_value_with(XmlVersion::Implicit1_0, 1, resolve_xml_entity)
            .map_err(|_| BAD_REFERENCE)?;
        let (local, prefix) = attribute.key.decompose();
        let local = name(local.into_inner())?;
        if prefix.is_some() && local == "nil" {
            self.is_nil = matches!(value.as_ref(), "true" | "1");
            return Ok(());
        }
        let key = format!("@{local}");
        let value = Tree::Text(Cow::Owned(value.into_owned()));
        match self.attributes.iter_mut().find(|(known, _)| *known == key) {
            None => self.attributes.push((Cow::Owned(key), value)),
            // Two prefixes, or none and one: the name without a prefix is the element's own.
            Some((_, known)) if prefix.is_none() => *known = value,
            Some(_) => {}
        }
        Ok(())
    }

    fn into_tree(self) -> Tree<'a> {
        if self.is_nil {
            return Tree::Null;
        }
        let mut entries = self.attributes;
        if self.children.is_empty() {
            if entries.is_empty() {
                return Tree::Text(self.text);
            }
            return Tree::Layered(Box::new(Layered {
                text: self.text,
                inside: Tree::Object(Object::new(entries)),
            }));
        }
        entries.extend(grouped(self.children));
        if !is_blank(&self.text) {
            let text = self.text.trim_ascii().to_owned();
            entries.push((Cow::Borrowed(TEXT_KEY), Tree::Text(Cow::Owned(text))));
        }
        Tree::Object(Object::new(entries))
    }
}

/// Children of one name together, in the order of their first.
fn grouped<'a>(
    children: Vec<(String, Tree<'a>)>,
) -> impl Iterator<Item = (Cow<'a, str>, Tree<'a>)> {
    let mut groups: Vec<(String, Vec<Tree<'a>>)> = Vec::new();
    let mut index: HashMap<String, usize> = HashMap::new();
    for (name, child) in children {
        let group = index.get(&name).and_then(|at| groups.get_mut(*at));
        if let Some((_, group)) = group {
            group.push(child);
        } else {
            index.insert(name.clone(), groups.len());
            groups.push((name, vec![child]));
        }
    }
    groups.into_iter().map(|(name, mut group)| {
        let tree = match (group.pop(), group.is_empty()) {
            (Some(only), true) => Tree::Sole(Box::new(only)),
            (last, _) => {
                group.extend(last);
                Tree::List(group)
            }
        };
        (Cow::Owned(name), tree)
    })
}

fn name(bytes: &[u8]) -> Read<String> {
    match std::str::from_utf8(bytes) {
        Ok("") => Err("an element or attribute without a name"),
        Ok(name) => Ok(name.to_owned()),
        Err(_) => Err("not UTF-8"),
    }
}

fn resolved<'a>(reference: &BytesRef<'a>) -> Read<Cow<'a, str>> {
    if let Some(c) = reference.resolve_char_ref().map_err(|_| BAD_REFERENCE)? {
        return Ok(Cow::Owned(c.to_string()));
    }
    let name = reference.decode().map_err(|_| "not UTF-8")?;
    let text = resolve_xml_entity(&name).ok_or(BAD_REFERENCE)?;
    Ok(Cow::Borrowed(text))
}

fn is_blank(text: &str) -> bool {
    text.trim_ascii().is_empty()
}

/// The reader's words without what they quote.
fn what(error: &Error) -> &'static str {
    use quick_xml::errors::IllFormedError;

    match error {
        Error::Syntax(_) => "something is never closed",
        Error::IllFormed(IllFormedError::MismatchedEndTag { .. }) => {
            "an end tag of another name than the element that is open"
        }
        Error::IllFormed(IllFormedError::UnmatchedEndTag(_)) => {
            "an end tag without an element that is open"
        }
        Error::IllFormed(IllFormedError::UnclosedReference) => "`&` that begins no reference",
        _ => "not well-formed",
    }
}

#[cfg(test)]
mod tests;
