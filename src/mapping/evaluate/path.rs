//! Follows paths through the event.

use super::{Fault, Scope};
use crate::{
    diag::{Span, closest},
    mapping::{
        compiled::{Path, PathStart, Step},
        limits::TEXT_BYTES_PER_STEP,
        transform::too_many_entries,
        tree::Tree,
        value::Value,
    },
};

/// The value at a path. A step into something that is not there, is null, or has another shape gives absent; `[]`
/// makes the result a list, also for one element or none.
pub(in crate::mapping) fn resolve<'a>(
    path: &'a Path,
    scope: &Scope<'_, 'a>,
    span: Span,
    most: usize,
) -> Result<Value<'a>, Fault> {
    resolve_as(Value::of_tree, path, scope, span, most)
}

/// [`resolve`], with what is made of what is found there.
pub(super) fn resolve_as<'a>(
    make: fn(&'a Tree<'a>) -> Value<'a>,
    path: &'a Path,
    scope: &Scope<'_, 'a>,
    span: Span,
    most: usize,
) -> Result<Value<'a>, Fault> {
    let tree = match start(path.start, scope) {
        Value::Tree(tree) => tree,
        other if path.steps.is_empty() => return Ok(other),
        // Only what stands in the event has anything inside.
        _ => return Ok(Value::Absent),
    };
    let spend = |steps: usize| scope.run.spend(steps, span);
    let value = match walk(tree, &path.steps, &spend)? {
        Walked::Nothing => return Ok(Value::Absent),
        Walked::One(tree) => return value_of(tree, make, &spend),
        Walked::Every(elements, rest) => {
            let mut found = Vec::new();
            gather(elements, rest, make, &spend, &mut found)?;
            found
        }
    };
    if value.len() > most {
        return Err(Fault::new(span, too_many_entries(value.len())));
    }
    Ok(Value::List(value))
}

fn start<'a>(start: PathStart, scope: &Scope<'_, 'a>) -> Value<'a> {
    match start {
        PathStart::Body => Value::Tree(scope.run.body),
        PathStart::Element(levels) => {
            let mut at = scope;
            for _ in 0..levels {
                match at.above {
                    Some(above) => at = above,
                    None => return Value::Absent,
                }
            }
            at.element.clone()
        }
    }
}

/// What stands at the first `[]` of a path in place of a list, where that has a value.
pub(super) fn in_place_of_list<'a>(
    path: &'a Path,
    scope: &Scope<'_, 'a>,
    span: Span,
) -> Result<Option<Value<'a>>, Fault> {
    let every = path
        .steps
        .iter()
        .position(|step| matches!(step, Step::Every));
    let before = every.and_then(|place| path.steps.get(..place));
    let (Value::Tree(tree), Some(before)) = (start(path.start, scope), before) else {
        return Ok(None);
    };
    let spend = |steps: usize| scope.run.spend(steps, span);
    let Walked::One(at) = walk(tree, before, &spend)? else {
        return Ok(None);
    };
    let value = value_of(at, Value::of_tree, &spend)?;
    // Senders that make no difference between the two write an empty object for an empty list.
    let is_empty = matches!(at, Tree::Object(object) if object.is_empty());
    let is_other = at.elements().is_none() && !is_empty && !value.has_no_value();
    Ok(is_other.then_some(value))
}

/// Of a path that leads nowhere the name in the event that is like the one where it ends; of several elements the
/// first is looked at. `left` is how many names may be compared, and becomes less by those that were.
pub(in crate::mapping) fn name_like_the_missing(
    path: &Path,
    scope: &Scope<'_, '_>,
    left: &mut usize,
) -> Option<String> {
    let mut closest = |key: &str, tree: &Tree<'_>| {
        let names = tree.names().take(*left);
        let found = closest(key, names.inspect(|_| *left -= 1));
        found.map(ToOwned::to_owned)
    };
    let Value::Tree(mut at) = start(path.start, scope) else {
        return None;
    };
    for step in &path.steps {
        at = match step {
            Step::Key(key) => match at.get(key) {
                Some(next) => next,
                None => return closest(key, at),
            },
            Step::Index(index) => at.elements()?.get(*index)?,
            Step::Every => at.elements()?.first()?,
            Step::Where(key, wanted) => {
                let elements = at.elements()?;
                let is_wanted = |element: &&Tree<'_>| {
                    let value = element.get(key);
                    value.is_some_and(|value| Value::of_tree(value).equals(wanted))
                };
                let first = elements.first()?;
                match elements.iter().find(is_wanted) {
                    Some(element) => element,
                    None if first.get(key).is_none() => {
                        return closest(key, first);
                    }
                    None => return None,
                }
            }
        };
    }
    None
}

/// Where a walk ended: at a value, or at the first `[]` with the steps after it.
enum Walked<'a> {
    Nothing,
    One(&'a Tree<'a>),
    Every(&'a [Tree<'a>], &'a [Step]),
}

fn walk<'a>(
    from: &'a Tree<'a>,
    steps: &'a [Step],
    spend: &impl Fn(usize) -> Result<(), Fault>,
) -> Result<Walked<'a>, Fault> {
    let mut at = from;
    let mut rest = steps;
    while let Some((step, after)) = rest.split_first() {
        rest = after;
        let next = match step {
            Step::Key(key) => {
                spend(1)?;
                at.get(key)
            }
            Step::Index(index) => at.elements().and_then(|elements| elements.get(*index)),
            Step::Every => match at.elements() {
                Some(elements) => return Ok(Walked::Every(elements, rest)),
                None => None,
            },
            Step::Where(key, wanted) => {
                let mut place = None;
                for element in at.elements().unwrap_or_default() {
                    spend(1)?;
                    if let Some(value) = element.get(key)
                        && value_of(value, Value::of_tree, spend)?.equals(wanted)
                    {
                        place = Some(element);
                        break;
                    }
                }
                place
            }
        };
        match next {
            Some(next) => at = next,
            None => return Ok(Walked::Nothing),
        }
    }
    Ok(Walked::One(at))
}

/// What is made of a part of the event; a text or number is paid for, since all of it is looked at.
fn value_of<'a>(
    tree: &'a Tree<'a>,
    make: fn(&'a Tree<'a>) -> Value<'a>,
    spend: &impl Fn(usize) -> Result<(), Fault>,
) -> Result<Value<'a>, Fault> {
    let text = match tree {
        Tree::Number(number) => Some(number.as_ref()),
        _ => tree.text(),
    };
    if let Some(text) = text {
        spend(text.len() / TEXT_BYTES_PER_STEP)?;
    }
    Ok(make(tree))
}

/// What the steps after `[]` give on each element; what is absent is left out, and a further `[]` flattens.
///
/// It calls itself once for each list it goes into, so no deeper than events may nest.
fn gather<'a>(
    elements: &'a [Tree<'a>],
    rest: &'a [Step],
    make: fn(&'a Tree<'a>) -> Value<'a>,
    spend: &impl Fn(usize) -> Result<(), Fault>,
    found: &mut Vec<Value<'a>>,
) -> Result<(), Fault> {
    spend(elements.len())?;
    for element in elements {
        match walk(element, rest, spend)? {
            Walked::Nothing => {}
            Walked::One(tree) => found.push(value_of(tree, make, spend)?),
            Walked::Every(inner, rest) => gather(inner, rest, make, spend, found)?,
        }
    }
    Ok(())
}
