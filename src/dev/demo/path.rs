//! The whole path of a new member as commands to be copied: `bash` and `curl` are enough. A test runs them as they stand.

use serde::Serialize;

use super::PASSWORD;

/// One thing to type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    pub note: String,
    /// As HTML. The page fills it in as it is: who reads the page's source can copy it too.
    pub command: String,
}

/// What the commands name.
#[derive(Clone, Debug)]
pub struct Place {
    /// The shop's URL, without a slash at the end.
    pub url: String,
    pub drive: String,
    pub plan: String,
}

fn step(note: &str, command: impl Into<String>) -> Step {
    let command = command.into().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    Step { note: note.to_owned(), command }
}

/// From sign-up to member number. Each step leaves in variables what the next ones need.
pub fn steps(place: &Place) -> Vec<Step> {
    let Place { url, drive, plan } = place;
    vec![
        step(
            "准备 — some names for what follows",
            format!(
                "shop={url}\njson='Content-Type: application/json'\nemail=ada-$(date +%s)@example.test\n\
                 first() {{ grep -o \"\\\"$1\\\":\\\"[^\\\"]*\\\"\" | head -n 1 | cut -d'\"' -f4; }}"
            ),
        ),
        step(
            "注册 — sign up",
            "curl -s $shop/v1/accounts -H \"$json\" \\\n  \
             -d '{\"email\": \"'$email'\", \"password\": \"correct horse 7\", \"name\": \"Ada\", \"locale\": \"en\"}'; echo",
        ),
        step(
            "验证邮箱 — the verification mail lies in the inbox; its link carries a token",
            "sleep 1; token=$(curl -s $shop/dev/inbox.json | grep -o 'verify-email?token=[A-Za-z0-9_-]*' | head -n 1 | \
             cut -d= -f2)\n\
             curl -s $shop/v1/email-verifications -H \"$json\" -d '{\"token\": \"'$token'\"}' -w '%{http_code}\\n'",
        ),
        step(
            "登录 — sign in",
            "access=$(curl -s $shop/v1/sessions -H \"$json\" \\\n  \
             -d '{\"email\": \"'$email'\", \"password\": \"correct horse 7\"}' | first access_token)",
        ),
        step(
            "下单 — order the drive's plan; the place is held from now on",
            format!(
                "order=$(curl -s $shop/v1/orders -H \"Authorization: Bearer $access\" -H \"$json\" \\\n  \
                 -H \"Idempotency-Key: $(date +%s%N)\" -d '{{\n    \
                 \"lines\": [{{\"plan\": \"{plan}\", \"drive\": \"{drive}\"}}],\n    \
                 \"success_url\": \"'$shop'/\", \"cancel_url\": \"'$shop'/\"}}' | first id); echo $order"
            ),
        ),
        step(
            "付款页 — wait for the payment page; it may be opened in a browser too",
            "url=$(curl -s \"$shop/v1/orders/$order?wait=payment\" -H \"Authorization: Bearer $access\" | first url); echo $url",
        ),
        step(
            "微信支付 — pay, as the buyer's browser would (or: fail, pay_late, fail_late, pay_unseen, cancel)",
            "curl -s \"$url\" -d action=pay -d method=wechat_pay -o /dev/null -w '%{http_code}\\n'",
        ),
        step(
            "等待到账 — wait until the payment has been seen",
            "curl -s \"$shop/v1/orders/$order?wait=settled\" -H \"Authorization: Bearer $access\" | first state",
        ),
        step(
            "会员编号 — the membership and its number",
            "curl -s $shop/v1/me/membership -H \"Authorization: Bearer $access\"; echo",
        ),
        step(
            "邮件 — receipt and welcome have been mailed",
            "sleep 1; curl -s $shop/dev/inbox.json | grep -o '\"subject\":\"[^\"]*\"' | head -n 3",
        ),
    ]
}

/// What one may try afterwards.
pub fn more(place: &Place) -> Vec<Step> {
    let url = &place.url;
    vec![
        step(
            "一年以后 — move the shop's clock by a year: memberships run out (tokens do too: sign in again)",
            format!(
                "curl -s {url}/dev/clock -H 'Content-Type: application/json' -d '{{\"advance\": \"P1Y\"}}'"
            ),
        ),
        step(
            "店主 — sign in as the owner and list the orders",
            format!(
                "owner=$(curl -s {url}/v1/sessions -H 'Content-Type: application/json' \\\n  \
                 -d '{{\"email\": \"owner@demo.test\", \"password\": \"{PASSWORD}\"}}' | grep -o '\"access_token\":\"[^\"]*\"' | \
                 cut -d'\"' -f4)\ncurl -s {url}/v1/admin/orders -H \"Authorization: Bearer $owner\""
            ),
        ),
        step(
            "对账 — recompute every invariant from the rows (where the demo was started)",
            "target/release/kindred check",
        ),
    ]
}
