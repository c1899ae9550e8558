// The page's side of the wire: intercept navigation, send the wanted address, put regions in place.
// Without this script every link still works as a plain link, because the address is the state.
(() => {
  "use strict"
  const $ = (q, el = document) => el.querySelector(q)
  const $$ = (q, el = document) => [...el.querySelectorAll(q)]
  const region = name => $(`[data-region="${name}"]`)
  const html = document.documentElement
  let wire = null
  let number = 0
  let closed = false
  let spokeAt = 0
  let later = null

  // ---- the wire -------------------------------------------------------------------------------
  const session = $("#session")
  async function connect() {
    await Bokeh.embed.embed_items({}, [JSON.parse(session.textContent)])
    const found = Bokeh.documents.at(-1)
    wire = found.get_model_by_name("wire")
    wire.properties.patch.change.connect(() => take(wire.patch))
    wire.properties.answer.change.connect(() => save(wire.answer))
    found.on_event("connection_lost", () => lost())
    if (wire.patch) take(wire.patch)
    if (document.body.dataset.pending === "yes" || number) ask(location.search)
    html.dataset.live = "yes"
  }
  function painted() {
    requestAnimationFrame(() => setTimeout(() => { html.dataset.painted = "yes" }, 0))
  }

  function ask(search) {
    if (closed) return
    number += 1
    if (wire == null) return
    document.body.classList.add("pending")
    wire.query = `${number}|${search.replace(/^\?/, "")}`
  }

  function take(text) {
    const patch = JSON.parse(text)
    if (patch.end) return end(patch.end)
    if (patch.number < number) return
    document.body.classList.remove("pending")
    clearTimeout(later)
    document.body.classList.toggle("dimmed", Boolean(patch.trouble))
    if (patch.trouble) {
      later = setTimeout(() => ask(location.search), 5000)
      return say(patch.trouble)
    }
    if (!patch.failed) $("#toast").hidden = true
    if (patch.failed || patch.pending) later = setTimeout(() => ask(location.search), 5000)
    if (patch.failed) return say("The board could not be drawn. It is tried again in a moment.", true)
    const kpis = Object.fromEntries($$("[data-kpi]").map((el, i) => [`${i}${el.dataset.kpi}`, el.textContent]))
    const focus = document.activeElement?.dataset?.key
    const inside = document.activeElement?.closest("[data-region]")?.dataset.region
    const open = $$("details[open]").map(el => [el.closest("[data-region]")?.dataset.region, el.className])
    for (const [name, body] of Object.entries(patch.regions)) {
      const el = region(name)
      if (el) {
        const left = $(".scroll", el)?.scrollLeft ?? 0
        el.innerHTML = body
        if (left && $(".scroll", el)) $(".scroll", el).scrollLeft = left
        for (const [where, kind] of open) {
          if (where === name && kind === "twin") $("details.twin", el)?.setAttribute("open", "")
        }
      }
    }
    if (focus && inside in patch.regions) {
      ($(`[data-key="${CSS.escape(focus)}"]`) ?? $(`[data-region="${inside}"] a`))?.focus({preventScroll: true})
    }
    $$("[data-kpi]").forEach((el, i) => {
      const before = kpis[`${i}${el.dataset.kpi}`]
      if (before !== undefined && before !== el.textContent && /\d/.test(before)) el.classList.add("flash")
    })
    document.title = patch.title
    const wanted = patch.query ? `?${patch.query}` : location.pathname
    if (location.search !== `?${patch.query}`) history.replaceState(null, "", wanted)
    tools(new URLSearchParams(patch.query))
    times()
    painted()
    if (patch.say && Date.now() - spokeAt > 60000) {
      spokeAt = Date.now()
      $("#said").textContent = patch.say
    }
  }

  function end(body) {
    closed = true
    for (const el of $$("[data-region]")) el.innerHTML = ""
    $("#campaigns")?.remove()
    $(".foot")?.remove()
    $("#said").textContent = "" // what was read aloud is figures too
    region("lead").innerHTML = body
    document.title = "Closed"
  }

  function lost() {
    if (closed) return
    html.classList.add("offline")
    html.dataset.live = "no"
    say("Connection lost. The page comes back by itself.")
    const again = async () => {
      try {
        const answer = await fetch("seen", {method: "POST"})
        if (answer.status === 204 || answer.status === 401) return location.reload()
      } catch { /* still away */ }
      setTimeout(again, 3000)
    }
    setTimeout(again, 1000)
  }

  function say(text, brief = false) {
    const toast = $("#toast")
    toast.textContent = text
    toast.hidden = false
    if (brief) setTimeout(() => { toast.hidden = true }, 5000)
  }

  // ---- navigation -----------------------------------------------------------------------------
  function go(search, {replace = false} = {}) {
    if (wire == null) { location.assign(search); return }
    if (replace) history.replaceState(null, "", search)
    else history.pushState(null, "", search)
    ask(search)
  }

  function changed(values) {
    const query = new URLSearchParams(location.search)
    for (const [k, v] of Object.entries(values)) v ? query.set(k, v) : query.delete(k)
    query.delete("page")
    return `?${query}`
  }

  function tools(query) {
    const form = $("[data-tools]")
    if (!form) return
    for (const [name, base] of [["search", ""], ["status", "all"]]) {
      const el = form.elements[name]
      if (el !== document.activeElement) el.value = query.get(name) ?? base
    }
  }

  document.addEventListener("click", event => {
    const link = event.target.closest("a[data-nav]")
    for (const el of $$("details.menu[open]")) if (!el.contains(event.target) || link) el.open = false
    if (link && !event.metaKey && !event.ctrlKey && !event.shiftKey && event.button === 0) {
      event.preventDefault()
      go(link.getAttribute("href"))
    }
    if (event.target.closest("[data-theme-toggle]")) theme()
    const file = event.target.closest("[data-download]")
    if (file) download(file)
    if (event.target.closest("[data-logout]")) tabs.postMessage("logged out")
  })
  // Other tabs ask whether they may stay; the answer is the login page.
  const tabs = new BroadcastChannel("adlab")
  tabs.onmessage = () => setTimeout(() => location.reload(), 500)
  addEventListener("popstate", () => ask(location.search))

  let typing = null
  document.addEventListener("input", event => {
    if (event.target.name !== "search" || !event.target.closest("[data-tools]")) return
    clearTimeout(typing)
    typing = setTimeout(() => go(changed({search: event.target.value.trim()}), {replace: true}), 180)
  })
  document.addEventListener("change", event => {
    if (event.target.name === "status" && event.target.closest("[data-tools]"))
      go(changed({status: event.target.value === "all" ? "" : event.target.value}))
  })
  document.addEventListener("submit", event => {
    const form = event.target
    if (form.matches("[data-tools]")) event.preventDefault()
    if (form.matches("[data-dates]")) {
      event.preventDefault()
      form.closest("details").open = false
      go(changed({range: "custom", since: form.elements.since.value, until: form.elements.until.value}))
    }
  })

  function theme() {
    const dark = html.dataset.theme
      ? html.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches
    html.dataset.theme = dark ? "light" : "dark"
    document.cookie = `adlab_theme=${html.dataset.theme}; path=/; max-age=31536000; samesite=lax`
    go(changedKeepingPage("theme", html.dataset.theme), {replace: true})
  }
  function changedKeepingPage(name, value) {
    const query = new URLSearchParams(location.search)
    query.set(name, value)
    return `?${query}`
  }

  // ---- files ----------------------------------------------------------------------------------
  let wanted = 0
  function download(button) {
    if (wire == null) return
    const menu = button.closest("details.menu")
    if (menu) { menu.open = false; $("summary", menu).focus() }
    wanted += 1
    wire.ask = `${wanted}|${button.dataset.download || "csv"}|${location.search.replace(/^\?/, "")}`
    for (const el of $$("[data-download]")) el.disabled = true
  }
  function save(text) {
    const answer = JSON.parse(text)
    for (const el of $$("[data-download]")) el.disabled = false
    if (answer.failed) return say(answer.failed, true)
    const body = answer.base64 === undefined
      ? answer.text : Uint8Array.from(atob(answer.base64), c => c.charCodeAt(0))
    const link = document.createElement("a")
    link.href = URL.createObjectURL(new Blob([body], {type: answer.type}))
    link.download = answer.name
    link.click()
    setTimeout(() => URL.revokeObjectURL(link.href), 10000)
  }

  // ---- times ----------------------------------------------------------------------------------
  function times() {
    for (const el of $$("time[data-ago]")) {
      const s = Math.max(0, (Date.now() - Date.parse(el.dateTime)) / 1000)
      el.textContent = s < 60 ? "just now" : s < 3600 ? `${Math.floor(s / 60)} min ago`
        : s < 172800 ? `${Math.floor(s / 3600)} h ago` : `${Math.floor(s / 86400)} days ago`
    }
  }
  setInterval(times, 15000)

  // ---- the session lasts while somebody is here ------------------------------------------------
  let active = false
  for (const kind of ["pointerdown", "keydown", "wheel", "touchstart"])
    addEventListener(kind, () => { active = true }, {passive: true})
  setInterval(async () => {
    if (closed || html.dataset.live !== "yes") return
    const answer = await fetch(active ? "seen" : "seen?idle", {method: "POST"}).catch(() => null)
    active = false
    if (answer?.status === 401) location.reload()
  }, 60000)

  // ---- chart: pointer, keys, brush ---------------------------------------------------------------
  const charts = new WeakMap()
  function chart(el) {
    if (!charts.has(el)) charts.set(el, JSON.parse($("script", el).textContent))
    return charts.get(el)
  }
  function place(el, clientX) {
    const box = $(".plot", el).getBoundingClientRect()
    const count = chart(el).x.length
    return Math.min(count - 1, Math.max(0, Math.floor((clientX - box.left) / box.width * count)))
  }
  function point(el, i) {
    const data = chart(el)
    const plot = $(".plot", el).getBoundingClientRect()
    const left = plot.left - el.getBoundingClientRect().left
    const x = left + (i + 0.5) / data.x.length * plot.width
    const cross = $(".cross", el), tip = $(".tip", el)
    cross.hidden = tip.hidden = false
    cross.style.left = `${x}px`
    tip.replaceChildren()
    const head = document.createElement("b")
    head.textContent = data.x[i]
    tip.append(head)
    for (const [name, values] of data.rows) {
      const row = document.createElement("div")
      for (const text of [name, values[i]]) {
        const cell = document.createElement("span")
        cell.textContent = text
        row.append(cell)
      }
      tip.append(row)
    }
    const over = x + tip.offsetWidth + 16 > el.offsetWidth
    tip.style.left = `${over ? x - tip.offsetWidth - 12 : x + 12}px`
    el.dataset.at = i
  }
  function leave(el) {
    $(".cross", el).hidden = $(".tip", el).hidden = $(".brush", el).hidden = true
    delete el.dataset.from
  }
  document.addEventListener("pointermove", event => {
    const el = event.target.closest?.("[data-chart]")
    for (const other of $$("[data-chart]")) if (other !== el && other.dataset.at) { leave(other); delete other.dataset.at }
    if (!el) return
    const i = place(el, event.clientX)
    point(el, i)
    if (el.dataset.from !== undefined && event.buttons === 1) {
      const brush = $(".brush", el), plot = $(".plot", el).getBoundingClientRect()
      const [a, b] = [Number(el.dataset.from), i].sort((x, y) => x - y)
      const wide = plot.width / chart(el).x.length
      brush.hidden = a === b
      brush.style.left = `${plot.left - el.getBoundingClientRect().left + a * wide}px`
      brush.style.width = `${(b - a + 1) * wide}px`
    }
  })
  document.addEventListener("pointerdown", event => {
    const el = event.target.closest("[data-chart]")
    if (el && event.pointerType === "mouse" && event.button === 0) el.dataset.from = place(el, event.clientX)
  })
  document.addEventListener("pointerup", event => {
    const el = event.target.closest?.("[data-chart]")
    if (!el || el.dataset.from === undefined) return
    const [a, b] = [Number(el.dataset.from), place(el, event.clientX)].sort((x, y) => x - y)
    leave(el)
    if (b > a) {
      const {days, step} = chart(el)
      const last = new Date(`${days[b]}T00:00:00Z`)
      last.setUTCDate(last.getUTCDate() + step - 1)
      go(changed({range: "custom", since: days[a], until: last.toISOString().slice(0, 10)}))
    }
  })

  // ---- keys -----------------------------------------------------------------------------------
  document.addEventListener("keydown", event => {
    const typed = event.target.matches?.("input, select, textarea")
    const figure = event.target.closest?.("[data-chart]")
    const row = event.target.closest?.("[data-row]")
    if (event.key === "Escape") for (const el of $$("details.menu[open]")) { el.open = false; $("summary", el).focus() }
    if (event.key === "/" && !typed) { event.preventDefault(); $("[data-tools] input")?.focus() }
    if (figure && (event.key === "ArrowRight" || event.key === "ArrowLeft")) {
      event.preventDefault()
      const count = chart(figure).x.length
      const at = figure.dataset.at === undefined ? count : Number(figure.dataset.at)
      const next = Math.min(count - 1, Math.max(0, at + (event.key === "ArrowRight" ? 1 : -1)))
      point(figure, next)
      const data = chart(figure)
      $("#said").textContent = `${data.x[next]}: ${data.rows.map(([n, v]) => `${n} ${v[next]}`).join(", ")}`
    }
    if (figure && event.key.toLowerCase() === "t") {
      const twin = $("details.twin", figure.parentElement)
      twin.open = !twin.open
    }
    if (row && (event.key === "ArrowDown" || event.key === "ArrowUp" || event.key === "Home" || event.key === "End")) {
      event.preventDefault()
      const rows = $$("[data-row]")
      const at = rows.indexOf(row)
      const to = {ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1}[event.key]
      rows[Math.min(rows.length - 1, Math.max(0, to))].focus()
    }
    if (row && (event.key === "PageDown" || event.key === "PageUp")) {
      event.preventDefault()
      $(`[data-key="page-${event.key === "PageDown" ? "next" : "previous"}"]`)?.click()
    }
  })

  // ---- definitions ------------------------------------------------------------------------------
  let tooltip = null
  function hint(el) {
    tooltip?.remove()
    tooltip = null
    const text = el?.dataset.tip ?? $("[data-tip]", el ?? document.createElement("i"))?.dataset.tip
    if (!text) return
    tooltip = document.createElement("div")
    tooltip.id = "tooltip"
    tooltip.setAttribute("role", "tooltip")
    tooltip.textContent = text
    document.body.append(tooltip)
    const box = el.getBoundingClientRect()
    const left = Math.max(8, Math.min(box.left, innerWidth - tooltip.offsetWidth - 8))
    tooltip.style.left = `${left + scrollX}px`
    tooltip.style.top = `${box.bottom + 6 + scrollY}px`
  }
  let waiting = null
  document.addEventListener("pointerover", event => {
    clearTimeout(waiting)
    const el = event.target.closest?.("[data-tip]")
    if (el) waiting = setTimeout(() => hint(el), 250)
    else hint(null)
  })
  document.addEventListener("focusin", event => {
    if (event.target.matches("a.tile:focus-visible")) hint(event.target)
    else hint(null)
  })

  if (document.body.dataset.pending !== "yes") painted()
  connect().catch(error => {
    console.error(error)
    html.dataset.live = "no"
  })
})()
