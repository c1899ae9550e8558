// What every page of the house can do without a wire: menus, lists that filter, light and dark.
(() => {
  "use strict"
  const $ = (q, el = document) => el.querySelector(q)
  const $$ = (q, el = document) => [...el.querySelectorAll(q)]
  const html = document.documentElement
  const board = Boolean($("#session"))
  const fold = text => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase()

  // Fields filter the list of their name: only links and cards that hold the text stay.
  function filter(field) {
    const wanted = fold(field.value.trim())
    for (const list of $$(`[data-filtered="${field.dataset.filter}"]`)) {
      let shown = 0
      for (const el of $$(":scope > a, :scope > article, :scope > label", list)) {
        el.hidden = !fold(el.dataset.name ?? el.textContent).includes(wanted)
        shown += el.hidden ? 0 : 1
      }
      const none = $("[data-none]", list)
      if (none) none.hidden = shown > 0
    }
  }
  document.addEventListener("input", event => {
    if (event.target.matches?.("[data-filter]")) filter(event.target)
  })
  document.addEventListener("toggle", event => {
    if (event.target.open && event.target.matches?.("[data-switch]")) {
      const field = $("[data-filter]", event.target)
      if (field && matchMedia("(pointer: fine)").matches) field.focus()
      $("nav.list [aria-current]", event.target)?.scrollIntoView({block: "nearest"})
    }
  }, true)
  document.addEventListener("keydown", event => {
    const field = event.target.matches?.("[data-filter]") ? event.target : null
    if (field && event.key === "Enter") {
      event.preventDefault()
      const first = $$(`[data-filtered="${field.dataset.filter}"] a`).find(a => !a.closest("[hidden]"))
      if (field.value.trim()) first?.click()
    }
  })

  // Boards have a script of their own for the rest.
  if (board) return
  for (const field of $$("[data-filter]")) if (field.value) filter(field)
  const tabs = new BroadcastChannel("adlab")
  tabs.onmessage = () => setTimeout(() => location.reload(), 500)
  document.addEventListener("click", event => {
    for (const el of $$("details.menu[open]")) if (!el.contains(event.target)) el.open = false
    if (event.target.closest("[data-logout]")) tabs.postMessage("logged out")
    if (event.target.closest("[data-theme-toggle]")) {
      const dark = html.dataset.theme
        ? html.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches
      html.dataset.theme = dark ? "light" : "dark"
      document.cookie = `adlab_theme=${html.dataset.theme}; path=/; max-age=31536000; samesite=lax`
    }
  })
  document.addEventListener("keydown", event => {
    if (event.key === "Escape") for (const el of $$("details.menu[open]")) { el.open = false; $("summary", el).focus() }
    if (event.key === "/" && !event.target.matches?.("input, select, textarea")) {
      const field = $("main [data-filter]")
      if (field) { event.preventDefault(); field.focus() }
    }
  })
  // A form is sent once, however often its button is pressed.
  document.addEventListener("submit", event => {
    if (event.target.dataset.sent) return event.preventDefault()
    event.target.dataset.sent = "yes"
    $("button:not([type=button])", event.target)?.setAttribute("aria-busy", "true")
  })
  addEventListener("pageshow", () => { for (const el of $$("form[data-sent]")) { delete el.dataset.sent; $("[aria-busy]", el)?.removeAttribute("aria-busy") } })
})()
