"use strict";
(() => {
  const zh = (navigator.languages || [navigator.language]).map(String).find((name) => /^(zh|en)/i.test(name));
  const words = /^zh/i.test(zh || "zh") ? {
    title: "设置新密码", text: "请输入新密码。设好之后，所有设备都需要重新登录。", button: "保存", label: "新密码",
    done: "新密码已生效，请重新登录。", weak: "这个密码太短或太常见，请换一个。",
    invalid: "这个链接已经用过、已失效，或者不完整。请重新申请一封邮件。", failed: "没有成功，请稍后再试。",
  } : {
    title: "Choose a new password", text: "You will sign in again on all your devices.", button: "Save",
    label: "New password", done: "Your new password is in force. Please sign in again.",
    weak: "This password is too short or too common: please choose another one.",
    invalid: "This link was used before, has expired or is incomplete. Please ask for a new mail.",
    failed: "That didn't work. Please try again in a while.",
  };
  const $ = (id) => document.getElementById(id);
  const token = new URLSearchParams(location.search).get("token") || "";
  history.replaceState(null, "", location.pathname);
  for (const name of ["title", "text", "button"]) $(name).textContent = words[name];
  $("password").setAttribute("aria-label", words.label);
  $("password").placeholder = words.label;
  document.title = words.title;
  $("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    $("button").disabled = true;
    const response = await fetch("/v1/password-resets", {
      method: "PUT", headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token, password: $("password").value }),
    }).catch(() => null);
    const problem = response && !response.ok ? await response.json().catch(() => ({})) : {};
    const says = response && response.ok ? "done" : problem.code === "weak_password" ? "weak"
      : response && response.status < 429 ? "invalid" : "failed";
    $("result").textContent = words[says];
    $("result").className = says === "done" ? "good" : "bad";
    $("form").hidden = says === "done" || says === "invalid";
    $("button").disabled = false;
  });
})();
