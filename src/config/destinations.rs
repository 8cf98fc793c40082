//! Destinations as configuration names them.

/// Whether a pattern of destinations is written as it should be.
pub(super) fn check_pattern(pattern: &str) -> Result<(), String> {
    let name = pattern.strip_prefix("queue://").or_else(|| pattern.strip_prefix("topic://"));
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        return Err(format!("`{pattern}` does not begin with queue:// or topic:// and a name"));
    };
    let mut levels = name.split('.').peekable();
    while let Some(level) = levels.next() {
        match level {
            ">" if levels.peek().is_some() => return Err(format!("`{pattern}`: `>` can only come last")),
            "*" | ">" => {}
            _ if level.contains(['*', '>']) => {
                return Err(format!("`{pattern}`: `*` and `>` stand for whole levels between dots"));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether the name of one destination is written as it should be.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    check_pattern(name)?;
    if name.split("://").nth(1).is_some_and(|name| name.split('.').any(|level| matches!(level, "*" | ">"))) {
        return Err(format!("`{name}` has a wildcard, and only one destination can be named here"));
    }
    Ok(())
}
