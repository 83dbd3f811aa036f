"""The enums that members use."""

from apim.csharp.dotnet.signature import define
from apim.csharp.json.plain import TOKEN_TYPES

define(
    "enum System.StringComparison : IComparable",
    CurrentCulture=0,
    CurrentCultureIgnoreCase=1,
    InvariantCulture=2,
    InvariantCultureIgnoreCase=3,
    Ordinal=4,
    OrdinalIgnoreCase=5,
)
define("enum System.StringSplitOptions : IComparable", {}, **{"None": 0, "RemoveEmptyEntries": 1})
define(
    "enum System.DayOfWeek : IComparable",
    Sunday=0,
    Monday=1,
    Tuesday=2,
    Wednesday=3,
    Thursday=4,
    Friday=5,
    Saturday=6,
)
define("enum System.DateTimeKind : IComparable", Utc=1)
define("enum System.MidpointRounding : IComparable", ToEven=0, AwayFromZero=1)
define("enum System.UriPartial : IComparable", Scheme=0, Authority=1, Path=2, Query=3)
define(
    "enum System.Text.RegularExpressions.RegexOptions : IComparable",
    {},
    **{
        "None": 0,
        "IgnoreCase": 1,
        "Multiline": 2,
        "ExplicitCapture": 4,
        "Compiled": 8,
        "Singleline": 16,
        "IgnorePatternWhitespace": 32,
        "RightToLeft": 64,
        "ECMAScript": 256,
        "CultureInvariant": 512,
    },
)
define("enum Newtonsoft.Json.Formatting : IComparable", {}, **{"None": 0, "Indented": 1})
define("enum Newtonsoft.Json.Linq.JTokenType : IComparable", {}, **TOKEN_TYPES)
define("enum System.Security.Cryptography.CipherMode : IComparable", CBC=1, ECB=2, OFB=3, CFB=4, CTS=5)
define(
    "enum System.Security.Cryptography.PaddingMode : IComparable",
    {},
    **{"None": 1, "PKCS7": 2, "Zeros": 3, "ANSIX923": 4, "ISO10126": 5},
)
