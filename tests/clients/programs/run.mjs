// Runs tasks of one client and prints what it made of the answers, as one line of JSON.
//
//     node run.mjs PROGRAM URL TASK…
//
// The key comes in CLIENT_KEY.
const [program, url, ...tasks] = process.argv.slice(2);
const client = await import(`./${program}.mjs`);
const told = {};
for (const task of tasks) {
  try {
    told[task] = await client[task](url, process.env.CLIENT_KEY);
  } catch (error) {
    told[task] = { failed: `${error?.name}: ${error?.message}`.slice(0, 2000) };
  }
}
console.log(JSON.stringify(told));
