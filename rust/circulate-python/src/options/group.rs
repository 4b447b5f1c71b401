//! Groups of options, each option declared once.

use super::declared::DeclaredOption;
use super::given::Given;

/// Options that a function takes.
pub(crate) trait Options: Sized {
    /// What is declared of each of them, in order.
    fn declared() -> Vec<DeclaredOption>;

    /// Takes them out of what was given; `None` if some of it is wrong, which `given` has noted then.
    fn take(given: &mut Given<'_, '_>) -> Option<Self>;
}

/// Declares a group of options: the doc comment of the struct is the group's title, and that of a field is what the option
/// does. Behind a field's kind stands its default as people write it (`= "60s"`), or what it is if it is left out
/// (`=> "until it is done"`).
macro_rules! options {
    (
        #[doc = $title:literal]
        $vis:vis struct $Name:ident {
            $($(#[doc = $about:literal])+ $field:ident: $kind:ty $(= $default:literal)? $(=> $left_out:literal)?,)*
        }
    ) => {
        #[doc = $title]
        $vis struct $Name {
            $($(#[doc = $about])+ $vis $field: $kind,)*
        }

        impl $crate::options::Options for $Name {
            fn declared() -> Vec<$crate::options::DeclaredOption> {
                vec![$($crate::options::DeclaredOption::new::<$kind>(
                    $title,
                    stringify!($field),
                    &[$($about),+],
                    [$($default)?].first().copied(),
                    [$($left_out)?].first().copied(),
                )),*]
            }

            fn take(given: &mut $crate::options::Given<'_, '_>) -> Option<Self> {
                $(let $field = given.take::<$kind>(stringify!($field), [$($default)?].first().copied());)*
                Some(Self { $($field: $field?),* })
            }
        }
    };
}
pub(crate) use options;

/// Declares a struct of groups of options.
macro_rules! groups {
    (
        $(#[doc = $about:literal])+
        $vis:vis struct $Name:ident { $($group:ident: $Group:ty,)+ }
    ) => {
        $(#[doc = $about])+
        $vis struct $Name { $($vis $group: $Group,)+ }

        impl $crate::options::Options for $Name {
            fn declared() -> Vec<$crate::options::DeclaredOption> {
                [$(<$Group>::declared()),+].into_iter().flatten().collect()
            }

            fn take(given: &mut $crate::options::Given<'_, '_>) -> Option<Self> {
                $(let $group = <$Group>::take(given);)+
                Some(Self { $($group: $group?),+ })
            }
        }
    };
}
pub(crate) use groups;
