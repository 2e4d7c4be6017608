"use strict";
(() => {
  const zh = (navigator.languages || [navigator.language]).map(String).find((name) => /^(zh|en)/i.test(name));
  const words = /^zh/i.test(zh || "zh") ? {
    title: "确认邮箱", text: "请点一下按钮，确认这个邮箱是您的。", button: "确认", done: "确认好了，谢谢。可以关闭这个页面了。",
    invalid: "这个链接已经用过、已失效，或者不完整。请重新申请一封邮件。", failed: "没有成功，请稍后再试。",
  } : {
    title: "Confirm your address", text: "Press the button to confirm that this address is yours.", button: "Confirm",
    done: "Done, thank you. You may close this page.",
    invalid: "This link was used before, has expired or is incomplete. Please ask for a new mail.",
    failed: "That didn't work. Please try again in a while.",
  };
  const $ = (id) => document.getElementById(id);
  const token = new URLSearchParams(location.search).get("token") || "";
  history.replaceState(null, "", location.pathname);
  for (const name of ["title", "text", "button"]) $(name).textContent = words[name];
  document.title = words.title;
  $("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    $("button").disabled = true;
    const response = await fetch("/v1/email-verifications", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ token }),
    }).catch(() => null);
    const says = response && response.ok ? "done" : response && response.status < 429 ? "invalid" : "failed";
    $("result").textContent = words[says];
    $("result").className = says === "done" ? "good" : "bad";
    $("form").hidden = says !== "failed";
    $("button").disabled = false;
  });
})();
