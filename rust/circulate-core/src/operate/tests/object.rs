use serde_json::json;

use super::*;

#[test]
fn numbers_are_the_same_if_they_are_and_not_if_they_are_rounded_to_the_same() {
    assert!(is_same(&json!(1), &json!(1.0)));
    assert!(is_same(&json!({"a": [1.0]}), &json!({"a": [1]})));
    assert!(!is_same(&json!(9_007_199_254_740_993_u64), &json!(9_007_199_254_740_992_u64)));
    assert!(!is_same(&json!(u64::MAX), &json!(u64::MAX - 1)));
    assert!(!is_same(&json!("1"), &json!(1)));
}
